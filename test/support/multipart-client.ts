import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type BatchObject, BatchResponse, LFS_MEDIA_TYPE } from "@holdall/lfs-protocol";
import type { SeededObject } from "./seeded-objects.ts";
import { Value } from "typebox/value";

type Actions = NonNullable<BatchObject["actions"]>;
type PartAction = NonNullable<Actions["parts"]>[number];

/** What may be done about a part before it is sent. @throws whatever interrupts the upload */
export type BeforePart = (part: PartAction, nth: number) => void;

/**
 * Uploads as the clients of Giftless do, in parts where the server wants it (docs/source/multipart-spec.md): parts in order
 * by PUT with the digest that is wanted, then `commit` and `verify`, as far as each is there.
 */
export class MultipartClient {
  readonly #repositoryUrl: string;
  readonly #transfers: readonly string[];

  constructor(repositoryUrl: string, transfers: readonly string[] = ["multipart-basic", "basic"]) {
    this.#repositoryUrl = repositoryUrl;
    this.#transfers = transfers;
  }

  async batch(...objects: readonly SeededObject[]): Promise<BatchResponse> {
    const answer = await fetch(`${this.#repositoryUrl}/objects/batch`, {
      method: "POST",
      headers: { Accept: LFS_MEDIA_TYPE, "Content-Type": LFS_MEDIA_TYPE },
      body: JSON.stringify({
        operation: "upload",
        transfers: this.#transfers,
        ref: { name: "refs/heads/master" },
        objects: objects.map(({ oid, size }) => ({ oid, size })),
      }),
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return Value.Parse(BatchResponse, JSON.parse(text));
  }

  /** What is to be done about one object; undefined when that is nothing. */
  async actions(object: SeededObject): Promise<Actions | undefined> {
    const { transfer, objects } = await this.batch(object);
    assert.equal(transfer, "multipart-basic");
    assert.equal(objects[0]?.error, undefined);
    return objects[0]?.actions;
  }

  /** All that there is to do for one object. @returns the numbers of bytes of the parts that were sent */
  async upload(object: SeededObject, beforePart: BeforePart = () => {}): Promise<number[]> {
    const actions = await this.actions(object);
    if (actions === undefined) return [];
    const sent: number[] = [];
    for (const [nth, part] of (actions.parts ?? []).entries()) {
      beforePart(part, nth);
      await done(this.sendPart(part, object.bytes));
      sent.push(part.size);
    }
    if (actions.commit !== undefined) await done(this.commit(actions.commit));
    if (actions.verify !== undefined) {
      const answer = await this.verify(actions.verify, object);
      // Their client in JavaScript takes no other.
      assert.equal(answer.status, 200, await answer.text());
    }
    return sent;
  }

  /** @param bytes of the whole object */
  sendPart(part: PartAction, bytes: Buffer): Promise<Response> {
    const body = bytes.subarray(part.pos, part.pos + part.size);
    assert.equal(part.want_digest, "contentMD5");
    const md5 = createHash("md5").update(body).digest("base64");
    return fetch(part.href, {
      method: "PUT",
      headers: { ...part.header, "Content-MD5": md5 },
      body: new Uint8Array(body),
    });
  }

  commit({ href, header, method }: NonNullable<Actions["commit"]>): Promise<Response> {
    return fetch(href, { method: method ?? "POST", headers: { ...header } });
  }

  verify({ href, header }: NonNullable<Actions["verify"]>, { oid, size }: SeededObject): Promise<Response> {
    return fetch(href, {
      method: "POST",
      headers: { Accept: LFS_MEDIA_TYPE, "Content-Type": LFS_MEDIA_TYPE, ...header },
      body: JSON.stringify({ oid, size }),
    });
  }
}

/** Any success will do. */
async function done(request: Promise<Response>): Promise<void> {
  const answer = await request;
  const text = await answer.text();
  assert.ok(answer.ok, `${answer.status} ${text}`);
}
