import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { BatchObject } from "@holdall/lfs-protocol";
import { MultipartClient } from "../../support/multipart-client.ts";
import type { SeededObject } from "../../support/seeded-objects.ts";
import type { Server } from "../../support/server.ts";

type Action = NonNullable<NonNullable<BatchObject["actions"]>["upload"]>;

/** What an answer says, its body read. */
export interface Said {
  readonly status: number;
  readonly text: string;
}

/** Speaks to a server and its store as git-lfs does where bytes go directly: batch, PUT, verify. */
export class DirectClient {
  readonly #client: MultipartClient;

  constructor(server: Server, repository: string) {
    this.#client = new MultipartClient(server.lfsUrl(repository), ["basic"]);
  }

  /** What is to be done about an upload, or undefined when that is nothing. */
  async offer(object: SeededObject): Promise<{ readonly upload: Action; readonly verify: Action } | undefined> {
    const [answer] = (await this.#client.batch(object)).objects;
    assert.equal(answer?.error, undefined);
    if (answer?.actions === undefined) return undefined;
    const { upload, verify } = answer.actions;
    assert.ok(upload !== undefined && verify !== undefined, "the upload goes directly");
    return { upload, verify };
  }

  /** @param o what is otherwise than the action says */
  async send(
    { href, header }: Action,
    body: Buffer | undefined,
    o: { readonly method?: string; readonly href?: string; readonly header?: Readonly<Record<string, string>> } = {},
  ): Promise<Said> {
    const init = body === undefined ? {} : { body: new Uint8Array(body) };
    return await said(
      fetch(o.href ?? href, { method: o.method ?? "PUT", headers: o.header ?? { ...header }, ...init }),
    );
  }

  /** All that there is to do for an object, which must succeed. */
  async upload(object: SeededObject): Promise<void> {
    const offer = await this.offer(object);
    if (offer === undefined) return;
    const sent = await this.send(offer.upload, object.bytes);
    assert.ok(sent.status >= 200 && sent.status < 300, sent.text);
    assert.equal((await this.verify(offer.verify, object)).status, 200);
  }

  async verify(action: Action, object: SeededObject): Promise<Said> {
    return await said(this.#client.verify(action, object));
  }
}

export async function said(request: Promise<Response>): Promise<Said> {
  const answer = await request;
  return { status: answer.status, text: await answer.text() };
}

/** Bytes that change on their way, when their digest is made already. @param before the object whose digests are sent */
export async function sendChanged(
  { href, header, pos, size }: Parameters<MultipartClient["sendPart"]>[0],
  before: Buffer,
  after: Buffer,
): Promise<Said> {
  const md5 = createHash("md5")
    .update(before.subarray(pos, pos + size))
    .digest("base64");
  const body = new Uint8Array(after.subarray(pos, pos + size));
  return await said(fetch(href, { method: "PUT", headers: { ...header, "Content-MD5": md5 }, body }));
}
