import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { StorageError, type StorageErrorCode } from "../errors.ts";
import { parseKey, type ObjectKey } from "../key.ts";
import type { Capabilities, ObjectStore, ObjectVersion, PutOptions, StoredObject } from "../port.ts";

/** One promise of the port. */
export interface ContractTest {
  readonly title: string;
  /** The capabilities that it is about. */
  readonly needs?: keyof Capabilities | readonly (keyof Capabilities)[];
  /** It is about what stores do that do not have this capability. */
  readonly without?: keyof Capabilities;
  readonly run: (store: ObjectStore, t: TestContext) => Promise<void>;
}

export const KiB = 1024;
export const MiB = 1024 * KiB;

export const key: ObjectKey = parseKey("objects/one");

/** The same bytes for the same seed; no part of them looks like another. */
export function bytesOf(seed: number, size: number): Buffer {
  return createHash("shake128", { outputLength: Math.max(size, 1) })
    .update(String(seed))
    .digest()
    .subarray(0, size);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A body that knows what became of it. */
export class TestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #steps: Iterator<Uint8Array | Promise<Uint8Array>>;
  /** It was read to its end. */
  ended = false;
  /** It needs no more: it has ended, was returned, or threw. */
  over = false;

  /** @param steps a promise among them makes the reader wait; an error that the iterator throws is the body's */
  constructor(steps: Iterable<Uint8Array | Promise<Uint8Array>>) {
    this.#steps = steps[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      const step = this.#steps.next();
      if (step.done !== true) return { done: false, value: await step.value };
    } catch (error) {
      this.over = true;
      throw error;
    }
    this.ended = true;
    this.over = true;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.over = true;
    return { done: true, value: undefined };
  }
}

/** The bytes as a body of several chunks, with an empty one among them. */
export function bodyOf(bytes: Uint8Array, chunkSize: number = 64 * KiB): TestBody {
  return new TestBody(chunksOf(bytes, chunkSize));
}

function* chunksOf(bytes: Uint8Array, chunkSize: number): Generator<Uint8Array> {
  yield new Uint8Array(0);
  for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
}

/** The bytes, and then the error instead of an end. */
export function failingBody(bytes: Uint8Array, error: unknown): TestBody {
  return new TestBody(
    (function* () {
      yield* chunksOf(bytes, 64 * KiB);
      throw error;
    })(),
  );
}

export async function putBytes(
  store: ObjectStore,
  at: ObjectKey,
  bytes: Uint8Array,
  o: Partial<PutOptions> = {},
): Promise<ObjectVersion> {
  return await store.put(at, bodyOf(bytes), { size: bytes.length, ...o });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await collect(body));
}

export async function getBytes(store: ObjectStore, at: ObjectKey): Promise<Buffer> {
  return await readBody((await store.get(at)).body);
}

export async function listKeys(store: ObjectStore, prefix = "", after?: string): Promise<string[]> {
  const stats = await collect(store.list(prefix, after === undefined ? {} : { after }));
  return stats.map((stat) => stat.key);
}

/** Compares bytes without printing megabytes when they differ. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  assert.ok(Buffer.compare(actual, expected) === 0, "the bytes differ");
}

/** The same version; and the same time, where `expected` has one. */
export function assertSameStat(actual: ObjectVersion | undefined, expected: ObjectVersion): void {
  assert.deepEqual(actual === undefined ? undefined : plain(actual), plain(expected));
  const [at, expectedAt] = [modifiedAt(actual), modifiedAt(expected)];
  if (at !== undefined && expectedAt !== undefined) assert.deepEqual(at, expectedAt);
}

function plain({ key, size, etag }: ObjectVersion): ObjectVersion {
  return { key, size, etag };
}

function modifiedAt(version: ObjectVersion | undefined): unknown {
  return version !== undefined && "modifiedAt" in version ? version.modifiedAt : undefined;
}

/** Nothing is under the key, whichever way one looks. */
export async function assertAbsent(store: ObjectStore, at: ObjectKey): Promise<void> {
  assert.equal(await store.stat(at), undefined);
  await assert.rejects(store.get(at), withCode("not-found"));
  assert.ok(!(await listKeys(store)).includes(at), `${at} is listed`);
}

export function withCode(code: StorageErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StorageError, `a StorageError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  };
}

/** For `assert.rejects`: this very error. */
export function being(expected: unknown): (error: unknown) => boolean {
  return (error) => {
    assert.equal(error, expected);
    return true;
  };
}

/** The values of those that succeeded; all others must have failed with the code. */
export async function winners<T>(attempts: readonly Promise<T>[], otherwise: StorageErrorCode): Promise<T[]> {
  const won: T[] = [];
  for (const result of await Promise.allSettled(attempts)) {
    if (result.status === "fulfilled") won.push(result.value);
    else withCode(otherwise)(result.reason);
  }
  return won;
}

/** Begins to read a body: the first chunk, and the rest for later. */
export async function begin({ body }: StoredObject): Promise<{ first: Uint8Array; rest: AsyncIterator<Uint8Array> }> {
  const rest = body[Symbol.asyncIterator]();
  const step = await rest.next();
  assert.ok(step.done !== true, "the body has a first chunk");
  return { first: step.value, rest };
}

/** Runs `work` for each item, at most `limit` at a time. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
