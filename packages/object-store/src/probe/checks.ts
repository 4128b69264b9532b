import { createHash } from "node:crypto";
import { StorageError, type StorageErrorCode } from "../errors.ts";
import { parseKey, type ObjectKey } from "../key.ts";
import type { Capabilities, MultipartUploads, ObjectStore, PutOptions, SignedRequest } from "../port.ts";

/** One thing that a store can do or cannot. */
export interface Check {
  readonly name: CheckName;
  /** Without this capability the store does not even claim it, and it is not tried. */
  readonly needs?: keyof Capabilities;
  /** @throws Error that says what was otherwise */
  readonly run: (trial: Trial) => Promise<void>;
}

export type CheckName =
  | "write"
  | "read"
  | "ranges"
  | "absence"
  | "list"
  | "large objects"
  | "conditional create"
  | "compare-and-swap"
  | "conditional delete"
  | "copy"
  | "presigned GET"
  | "presigned PUT"
  | "presigned PUT, digest"
  | "multipart"
  | "presigned parts"
  | "delete";

/** What a check works with. */
export interface Trial {
  readonly store: ObjectStore;
  /** How many race. */
  readonly writers: number;
  /** A key of the probe's own; without a name, their folder. */
  readonly key: (name: string) => ObjectKey;
}

const MiB = 1024 * 1024;
/** More than one part. */
const LARGE = 9 * MiB;
/** A race is lost or won by chance: once proves little. */
const ROUNDS = 5;
const MINUTE = 60;

export const CHECKS: readonly Check[] = [
  {
    name: "write",
    run: async ({ store, key }) => {
      await put(store, key("one"), content(1, 1000));
    },
  },
  {
    name: "read",
    run: async ({ store, key }) => {
      mustEqual(await get(store, key("one")), content(1, 1000));
      const stat = await store.stat(key("one"));
      must(stat?.size === 1000, `it says that an object of 1000 bytes has ${stat?.size}`);
    },
  },
  {
    name: "ranges",
    run: async ({ store, key }) => {
      const { body } = await store.get(key("one"), { range: { start: 10, end: 19 } });
      mustEqual(await read(body), content(1, 1000).subarray(10, 20));
    },
  },
  {
    name: "absence",
    run: async ({ store, key }) => {
      must((await store.stat(key("absent"))) === undefined, "it shows an object that was never written");
    },
  },
  {
    name: "list",
    run: async ({ store, key }) => {
      await put(store, key("two"), content(2, 10));
      const keys: string[] = [];
      for await (const stat of store.list(`${key("")}/`)) keys.push(stat.key);
      must(
        keys.join(" ") === `${key("one")} ${key("two")}`,
        `it lists ${keys.length} of 2 objects, or in another order`,
      );
    },
  },
  {
    name: "large objects",
    run: async ({ store, key }) => {
      await put(store, key("large"), content(3, LARGE));
      mustEqual(await get(store, key("large")), content(3, LARGE));
    },
  },
  {
    name: "conditional create",
    needs: "putIfAbsent",
    run: async ({ store, key, writers }) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const at = key(`created-${round}`);
        const attempts = race(writers, (i) => put(store, at, content(i, 20 + i), { ifAbsent: true }));
        await exactlyOne(attempts, "created one object");
        await mustFail("conflict", put(store, at, content(0, 20), { ifAbsent: true }), "it replaced what was there");
      }
    },
  },
  {
    name: "compare-and-swap",
    needs: "compareAndSwap",
    run: async ({ store, key, writers }) => {
      const at = key("swapped");
      let { etag } = await put(store, at, content(100, 10));
      for (let round = 0; round < ROUNDS; round += 1) {
        const old = etag;
        const swap = (i: number) => put(store, at, content(round * writers + i, 20 + i), { ifMatch: old });
        ({ etag } = await exactlyOne(race(writers, swap), "replaced one version"));
        await mustFail("conflict", put(store, at, content(0, 10), { ifMatch: old }), "it replaced another version");
      }
    },
  },
  {
    name: "conditional delete",
    needs: "deleteIfMatch",
    run: async ({ store, key }) => {
      const first = await put(store, key("removed"), content(1, 10));
      const second = await put(store, key("removed"), content(2, 10));
      const stale = store.delete(key("removed"), { ifMatch: first.etag });
      await mustFail("conflict", stale, "it removed another version");
      await store.delete(key("removed"), { ifMatch: second.etag });
      must((await store.stat(key("removed"))) === undefined, "it did not remove the object");
    },
  },
  {
    name: "copy",
    needs: "copy",
    run: async ({ store, key }) => {
      await store.copy(key("one"), key("copied"), { ifAbsent: true });
      mustEqual(await get(store, key("copied")), content(1, 1000));
      const again = store.copy(key("one"), key("copied"), { ifAbsent: true });
      await mustFail("conflict", again, "a copy replaced what was there");
    },
  },
  {
    name: "presigned GET",
    needs: "presignGet",
    run: async ({ store, key }) => {
      const response = await send(await store.presign(key("one"), { method: "GET", expiresIn: MINUTE }));
      mustSucceed(response);
      mustEqual(response.body, content(1, 1000));
    },
  },
  {
    name: "presigned PUT",
    needs: "presignPut",
    run: async ({ store, key }) => {
      const request = await store.presign(key("sent"), { method: "PUT", size: 10, expiresIn: MINUTE });
      mustSucceed(await send(request, content(1, 10)));
      mustEqual(await get(store, key("sent")), content(1, 10));
    },
  },
  {
    name: "presigned PUT, digest",
    needs: "presignSha256",
    run: async ({ store, key }) => {
      const bytes = content(1, 1000);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const request = await store.presign(key("checked"), { method: "PUT", size: 1000, sha256, expiresIn: MINUTE });
      const wrong = await send(request, content(2, 1000));
      must(wrong.status >= 400, "it took bytes of another digest");
      const bare = await send({ ...request, headers: {} }, content(2, 1000));
      must(bare.status >= 400, "it took bytes without their digest");
      mustSucceed(await send(request, bytes));
      mustEqual(await get(store, key("checked")), bytes);
    },
  },
  {
    name: "multipart",
    needs: "multipart",
    run: async ({ store, key }) => {
      const uploads = uploadsOf(store);
      const size = Math.max(uploads.limits.minPartSize, MiB);
      const upload = await uploads.create(key("parts"));
      const parts = [
        await uploads.putPart(key("parts"), upload, 1, bodyOf(content(1, size)), { size }),
        await uploads.putPart(key("parts"), upload, 2, bodyOf(content(2, 10)), { size: 10 }),
      ];
      must((await store.stat(key("parts"))) === undefined, "an object is seen before it is complete");
      await uploads.complete(key("parts"), upload, parts);
      mustEqual(await get(store, key("parts")), Buffer.concat([content(1, size), content(2, 10)]));
    },
  },
  {
    name: "presigned parts",
    needs: "presignPart",
    run: async ({ store, key }) => {
      const uploads = uploadsOf(store);
      const upload = await uploads.create(key("sent-parts"));
      const o = { size: 1000, expiresIn: MINUTE };
      mustSucceed(await send(await uploads.presignPart(key("sent-parts"), upload, 1, o), content(1, 1000)));
      const parts = await Array.fromAsync(uploads.parts(key("sent-parts"), upload));
      await uploads.complete(key("sent-parts"), upload, parts);
      mustEqual(await get(store, key("sent-parts")), content(1, 1000));
    },
  },
  {
    name: "delete",
    run: async ({ store, key }) => {
      await store.delete(key("one"));
      await store.delete(key("one"));
      must((await store.stat(key("one"))) === undefined, "it did not remove the object");
    },
  },
];

function content(seed: number, size: number): Buffer {
  return createHash("shake128", { outputLength: size }).update(`probe ${seed}`).digest();
}

async function* bodyOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function put(store: ObjectStore, key: ObjectKey, bytes: Uint8Array, o: Omit<PutOptions, "size"> = {}) {
  return store.put(key, bodyOf(bytes), { size: bytes.length, ...o });
}

async function get(store: ObjectStore, key: ObjectKey): Promise<Buffer> {
  return await read((await store.get(key)).body);
}

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(body));
}

/** As a client without credentials would. */
async function send(
  { method, url, headers }: SignedRequest,
  body?: Uint8Array,
): Promise<{ status: number; body: Buffer }> {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}

function race<T>(writers: number, attempt: (i: number) => Promise<T>): Promise<T>[] {
  return Array.from({ length: writers }, (_, i) => attempt(i));
}

async function exactlyOne<T>(attempts: readonly Promise<T>[], did: string): Promise<T> {
  const results = await Promise.allSettled(attempts);
  const won: T[] = [];
  for (const result of results) {
    if (result.status === "fulfilled") won.push(result.value);
    else if (!isStorageError(result.reason, "conflict")) throw result.reason;
  }
  const [winner] = won;
  must(won.length === 1 && winner !== undefined, `${won.length} of ${attempts.length} writers at once ${did}`);
  return winner;
}

async function mustFail(code: StorageErrorCode, attempt: Promise<unknown>, otherwise: string): Promise<void> {
  try {
    await attempt;
  } catch (error) {
    if (isStorageError(error, code)) return;
    throw error;
  }
  throw new Error(otherwise);
}

function isStorageError(error: unknown, code: StorageErrorCode): boolean {
  return error instanceof StorageError && error.code === code;
}

function mustSucceed({ status, body }: { readonly status: number; readonly body: Buffer }): void {
  const said = body.toString("utf8", 0, 300).replaceAll(/\s+/g, " ");
  must(status >= 200 && status < 300, `a presigned request was answered ${status}: ${said}`);
}

function mustEqual(actual: Uint8Array, expected: Uint8Array): void {
  must(Buffer.compare(actual, expected) === 0, "what came back are not the bytes that were stored");
}

function must(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

function uploadsOf({ multipart }: ObjectStore): MultipartUploads {
  if (multipart === undefined) throw new Error("it claims uploads in parts and has none");
  return multipart;
}

/** Keys below a folder of the probe's own. */
export function keysBelow(folder: string): Trial["key"] {
  return (name) => parseKey(name === "" ? folder : `${folder}/${name}`);
}
