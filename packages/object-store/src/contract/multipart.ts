import assert from "node:assert/strict";
import type { MultipartUploads, ObjectStore, UploadedPart } from "../port.ts";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  being,
  bodyOf,
  bytesOf,
  collect,
  failingBody,
  getBytes,
  key,
  putBytes,
  winners,
  withCode,
  type ContractTest,
} from "./contract-test.ts";

function uploadsOf(store: ObjectStore): MultipartUploads {
  assert.ok(store.multipart !== undefined, "it claims multipart");
  return store.multipart;
}

/** Sends these parts, numbered from 1, all at once. */
async function putParts(
  uploads: MultipartUploads,
  upload: string,
  contents: readonly Uint8Array[],
): Promise<UploadedPart[]> {
  return await Promise.all(
    contents.map((bytes, i) => uploads.putPart(key, upload, i + 1, bodyOf(bytes), { size: bytes.length })),
  );
}

const plain = ({ number, size, etag }: UploadedPart): UploadedPart => ({ number, size, etag });

/** Two parts of the smallest size, and a last one that is smaller. */
function threeParts({ limits }: MultipartUploads): readonly [Buffer, Buffer, Buffer] {
  const size = Math.max(limits.minPartSize, 100_000);
  return [bytesOf(1, size), bytesOf(2, size + 1), bytesOf(3, 10)];
}

export const multipartTests: readonly ContractTest[] = [
  {
    title: "an upload in parts is seen when it is complete, and not before",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const contents = threeParts(uploads);
      const upload = await uploads.create(key);
      assert.deepEqual(await collect(uploads.parts(key, upload)), []);
      const parts = await putParts(uploads, upload, contents);
      assert.deepEqual(
        parts.map(({ number, size }) => [number, size]),
        contents.map((bytes, i) => [i + 1, bytes.length]),
      );
      assert.deepEqual((await collect(uploads.parts(key, upload))).map(plain), parts.map(plain));
      await assertAbsent(store, key);
      const version = await uploads.complete(key, upload, parts);
      assertSameStat(await store.stat(key), version);
      assertBytes(await getBytes(store, key), Buffer.concat(contents));
    },
  },
  {
    title: "a part that comes again takes the place of the first",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const upload = await uploads.create(key);
      await uploads.putPart(key, upload, 1, bodyOf(bytesOf(1, 100)), { size: 100 });
      await uploads.putPart(key, upload, 1, bodyOf(bytesOf(2, 200)), { size: 200 });
      const parts = await collect(uploads.parts(key, upload));
      assert.equal(parts.length, 1);
      await uploads.complete(key, upload, parts);
      assertBytes(await getBytes(store, key), bytesOf(2, 200));
    },
  },
  {
    title: "a part that fails leaves what was there",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const upload = await uploads.create(key);
      await uploads.putPart(key, upload, 1, bodyOf(bytesOf(1, 100)), { size: 100 });
      const error = new Error("the body's own");
      const failing = uploads.putPart(key, upload, 1, failingBody(bytesOf(2, 50), error), { size: 100 });
      await assert.rejects(failing, being(error));
      for (const length of [99, 101]) {
        const wrong = uploads.putPart(key, upload, 1, bodyOf(bytesOf(2, length)), { size: 100 });
        await assert.rejects(wrong, withCode("invalid"));
      }
      await uploads.complete(key, upload, await collect(uploads.parts(key, upload)));
      assertBytes(await getBytes(store, key), bytesOf(1, 100));
    },
  },
  {
    title: "a part that is missing or has changed is not taken for another",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const contents = threeParts(uploads);
      const upload = await uploads.create(key);
      const parts = await putParts(uploads, upload, contents.slice(0, 2));
      const third = { number: 3, size: 10, etag: parts[0]?.etag ?? "" };
      await assert.rejects(uploads.complete(key, upload, [...parts, third]), withCode("invalid"));
      await assertAbsent(store, key);
    },
  },
  {
    title: "an upload that was given up is gone with its parts",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const upload = await uploads.create(key);
      const parts = await putParts(uploads, upload, [bytesOf(1, 100)]);
      await uploads.abort(key, upload);
      await uploads.abort(key, upload);
      await assert.rejects(uploads.complete(key, upload, parts));
      await assertAbsent(store, key);
    },
  },
  {
    title: "uploads of one key at once do not mix",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const [one, two] = await Promise.all([uploads.create(key), uploads.create(key)]);
      const [first] = await putParts(uploads, one, [bytesOf(1, 100)]);
      const [second] = await putParts(uploads, two, [bytesOf(2, 200)]);
      assert.ok(first !== undefined && second !== undefined);
      await uploads.abort(key, two);
      await uploads.complete(key, one, [first]);
      assertBytes(await getBytes(store, key), bytesOf(1, 100));
    },
  },
  {
    title: "of several that complete one upload at once none breaks it",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const contents = threeParts(uploads);
      const upload = await uploads.create(key);
      const parts = await putParts(uploads, upload, contents);
      const results = await Promise.allSettled([1, 2, 3].map(() => uploads.complete(key, upload, parts)));
      assert.ok(
        results.some(({ status }) => status === "fulfilled"),
        "one succeeded",
      );
      assertBytes(await getBytes(store, key), Buffer.concat(contents));
    },
  },
  {
    title: "of several uploads that create one object exactly one succeeds",
    needs: ["multipart", "putIfAbsent"],
    run: async (store) => {
      const uploads = uploadsOf(store);
      const begun = await Promise.all(
        [1, 2, 3, 4].map(async (i) => {
          const upload = await uploads.create(key);
          const part = await uploads.putPart(key, upload, 1, bodyOf(bytesOf(i, 100 + i)), { size: 100 + i });
          return { upload, part };
        }),
      );
      const completions = begun.map(({ upload, part }) => uploads.complete(key, upload, [part], { ifAbsent: true }));
      const [winner, ...others] = await winners(completions, "conflict");
      assert.equal(others.length, 0);
      assert.ok(winner !== undefined, "one succeeded");
      assertSameStat(await store.stat(key), winner);
      assertBytes(await getBytes(store, key), bytesOf(winner.size - 100, winner.size));
      await assert.rejects(putBytes(store, key, bytesOf(1, 1), { ifAbsent: true }), withCode("conflict"));
    },
  },
  {
    title: "a part that was presigned may be sent directly",
    needs: "presignPart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const upload = await uploads.create(key);
      const request = await uploads.presignPart(key, upload, 1, { size: 1000, expiresIn: 60 });
      const body = new Uint8Array(bytesOf(1, 1000));
      const response = await fetch(request.url, { method: request.method, headers: request.headers, body });
      const answer = await response.text();
      assert.ok(response.ok, `${response.status} ${answer}`);
      await assertAbsent(store, key);
      const parts = await collect(uploads.parts(key, upload));
      assert.deepEqual(
        parts.map(({ number, size }) => [number, size]),
        [[1, 1000]],
      );
      await uploads.complete(key, upload, parts);
      assertBytes(await getBytes(store, key), bytesOf(1, 1000));
    },
  },
  {
    title: "a sweep leaves uploads alone that have just begun",
    needs: "multipart",
    run: async (store) => {
      const uploads = uploadsOf(store);
      const upload = await uploads.create(key);
      const parts = await putParts(uploads, upload, [bytesOf(1, 100)]);
      assert.equal(await store.sweep(), 0);
      await uploads.complete(key, upload, parts);
      assertBytes(await getBytes(store, key), bytesOf(1, 100));
    },
  },
];
