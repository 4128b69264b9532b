import assert from "node:assert/strict";
import type { ClientRequest } from "node:http";
import { once } from "node:events";
import { type Answer, answerTo, open } from "../../support/http.ts";
import type { LfsUser } from "../../support/lfs-user.ts";
import type { SeededObject } from "../../support/seeded-objects.ts";

/** A connection broke under a request, or was refused: the only failures that the end of a process may cause. */
const CONNECTION_ENDS = new Set(["ECONNRESET", "EPIPE", "ECONNREFUSED"]);

/** One PUT on a connection of its own, in steps. */
export class Upload {
  readonly object: SeededObject;
  readonly #request: ClientRequest;
  readonly #answer: Promise<Answer>;

  private constructor(object: SeededObject, port: number, path: string) {
    this.object = object;
    const headers = { "Content-Length": String(object.size), Expect: "100-continue" };
    this.#request = open({ port, method: "PUT", path, headers, ownConnection: true });
    this.#answer = answerTo(this.#request);
    // Seen by `finish`; the connection may break long before.
    this.#answer.catch(() => {});
  }

  /** Sends the head; resolves when the server has taken the request on and waits for the body. */
  static async begin(user: LfsUser, repository: string, object: SeededObject): Promise<Upload> {
    const { oid, size } = object;
    const upload = new Upload(object, user.port, await user.target(repository, "upload", { oid, size }));
    await upload.#begun();
    return upload;
  }

  /** {@link begin} for many at once. */
  static async beginAll(user: LfsUser, repository: string, objects: readonly SeededObject[]): Promise<Upload[]> {
    return await Promise.all(objects.map((object) => Upload.begin(user, repository, object)));
  }

  async #begun(): Promise<void> {
    const goOn = once(this.#request, "continue");
    this.#request.flushHeaders();
    await goOn;
  }

  /** Sends a part of the body; resolves when the operating system has it. */
  async send(start: number, end: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#request.write(this.object.bytes.subarray(start, end), (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Sends the body from `start` on. @returns the status, or undefined when the connection broke */
  async finish(start = 0): Promise<number | undefined> {
    try {
      this.#request.end(this.object.bytes.subarray(start));
      return (await this.#answer).status;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (!CONNECTION_ENDS.has(code)) throw error;
      return undefined;
    } finally {
      this.#request.destroy();
    }
  }
}

/** What a client does that tries again: it sends what the batch says is missing, which must succeed. */
export async function uploadMissing(
  user: LfsUser,
  repository: string,
  objects: readonly SeededObject[],
): Promise<void> {
  const asked = objects.map(({ oid, size }) => ({ oid, size }));
  const answers = await user.batch(repository, "upload", asked);
  const missing = answers.filter(({ actions }) => actions?.upload !== undefined).map(({ oid }) => oid);
  const uploads = await Upload.beginAll(
    user,
    repository,
    objects.filter(({ oid }) => missing.includes(oid)),
  );
  for (const status of await Promise.all(uploads.map((upload) => upload.finish()))) assert.equal(status, 200);
}

/** Downloads through a fresh batch and compares all bytes. */
export async function assertDownloads(
  user: LfsUser,
  repository: string,
  objects: Iterable<SeededObject>,
): Promise<void> {
  for (const { oid, size, bytes } of objects) {
    const { status, body } = await user.download(repository, { oid, size });
    assert.equal(status, 200, `${oid} was acknowledged`);
    assert.ok(body.equals(bytes), `${oid} has the bytes that were sent`);
  }
}
