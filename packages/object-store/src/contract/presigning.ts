import assert from "node:assert/strict";
import { parseKey } from "../key.ts";
import type { SignedRequest } from "../port.ts";
import {
  assertAbsent,
  assertBytes,
  bytesOf,
  getBytes,
  key,
  putBytes,
  sha256Of,
  withCode,
  type ContractTest,
} from "./contract-test.ts";

const MINUTE = { expiresIn: 60 } as const;

/** As somebody who holds nothing but the request. */
async function send({ method, url, headers }: SignedRequest, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
  return await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
}

async function sent(request: SignedRequest, body?: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await send(request, body);
  const answer = await response.text();
  assert.ok(response.ok, `${response.status} ${answer}`);
}

async function refused(request: SignedRequest, body?: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await send(request, body);
  await response.arrayBuffer();
  assert.ok(response.status >= 400 && response.status < 500, `${response.status}`);
}

/** The headers with another mark. */
function other(headers: Readonly<Record<string, string>>, mark: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace(mark, "another")]));
}

const bytes = (seed: number, size: number): Uint8Array<ArrayBuffer> => new Uint8Array(bytesOf(seed, size));

export const presigningTests: readonly ContractTest[] = [
  {
    title: "a presigned GET answers the bytes, whole or in part, to whoever holds it",
    needs: "presignGet",
    run: async (store) => {
      const odd = parseKey("some folder/a+b & c=d é%41");
      for (const at of [key, odd]) {
        await putBytes(store, at, bytesOf(1, 100_000));
        const before = Date.now();
        const request = await store.presign(at, { method: "GET", ...MINUTE });
        assert.equal(request.method, "GET");
        assert.ok(Math.abs(request.expiresAt.getTime() - before - 60_000) < 5_000, "it expires in a minute");
        const whole = await send(request);
        assert.equal(whole.status, 200);
        assertBytes(Buffer.from(await whole.arrayBuffer()), bytesOf(1, 100_000));
        const part = await fetch(request.url, { headers: { ...request.headers, Range: "bytes=10-19" } });
        assert.equal(part.status, 206);
        assertBytes(Buffer.from(await part.arrayBuffer()), bytesOf(1, 100_000).subarray(10, 20));
      }
    },
  },
  {
    title: "a presigned GET of what is absent says so only when it is sent",
    needs: "presignGet",
    run: async (store) => {
      const response = await send(await store.presign(key, { method: "GET", ...MINUTE }));
      await response.arrayBuffer();
      assert.equal(response.status, 404);
    },
  },
  {
    title: "a presigned GET can name the file that is downloaded",
    needs: "presignGet",
    run: async (store) => {
      await putBytes(store, key, bytesOf(1, 10));
      const disposition = "attachment; filename=\"model 1.bin\"; filename*=UTF-8''model%201.bin";
      const response = await send(await store.presign(key, { method: "GET", disposition, ...MINUTE }));
      await response.arrayBuffer();
      assert.equal(response.headers.get("content-disposition"), disposition);
    },
  },
  {
    title: "a presigned PUT stores the bytes under its key",
    needs: "presignPut",
    run: async (store) => {
      for (const size of [0, 10, 100_000]) {
        const request = await store.presign(key, { method: "PUT", size, ...MINUTE });
        assert.equal(request.method, "PUT");
        await sent(request, bytes(size, size));
        assertBytes(await getBytes(store, key), bytesOf(size, size));
      }
    },
  },
  {
    title: "a presigned PUT may be sent twice",
    needs: "presignPut",
    run: async (store) => {
      const request = await store.presign(key, { method: "PUT", size: 10, ...MINUTE });
      await sent(request, bytes(1, 10));
      await sent(request, bytes(1, 10));
      assertBytes(await getBytes(store, key), bytesOf(1, 10));
    },
  },
  {
    title: "a presigned PUT with a digest takes these bytes and no others",
    needs: "presignSha256",
    run: async (store) => {
      const sha256 = sha256Of(bytesOf(1, 1000));
      const request = await store.presign(key, { method: "PUT", size: 1000, sha256, ...MINUTE });
      await refused(request, bytes(2, 1000));
      const { headers: _left, ...bare } = request;
      await refused({ ...bare, headers: {} }, bytes(2, 1000));
      await assertAbsent(store, key);
      await sent(request, bytes(1, 1000));
      assertBytes(await getBytes(store, key), bytesOf(1, 1000));
    },
  },
  {
    title: "an object tells by which presigned PUT it came",
    needs: "presignSha256",
    run: async (store) => {
      const size = 1000;
      const sha256 = sha256Of(bytesOf(1, size));
      for (const mark of ["first", "Second2"]) {
        const request = await store.presign(key, { method: "PUT", size, sha256, mark, ...MINUTE });
        await refused({ ...request, headers: other(request.headers, mark) }, bytes(1, size));
        await sent(request, bytes(1, size));
        assert.equal((await store.stat(key))?.mark, mark);
      }
      await putBytes(store, key, bytesOf(1, size));
      assert.notEqual((await store.stat(key))?.mark, "Second2");
    },
  },
  {
    title: "a request that was signed for one key or method is good for no other",
    needs: "presignGet",
    run: async (store) => {
      const other = parseKey("objects/two");
      await putBytes(store, key, bytesOf(1, 10));
      await putBytes(store, other, bytesOf(2, 10));
      const request = await store.presign(key, { method: "GET", ...MINUTE });
      await refused({ ...request, url: request.url.replace("objects/one", "objects/two") });
      await refused({ ...request, method: "PUT" }, bytes(3, 10));
      assertBytes(await getBytes(store, key), bytesOf(1, 10));
    },
  },
  {
    title: "what cannot be signed is refused",
    needs: "presignPut",
    run: async (store) => {
      for (const expiresIn of [0, -1, 1.5, Number.NaN, 7 * 24 * 3600 + 1]) {
        await assert.rejects(store.presign(key, { method: "GET", expiresIn }), withCode("invalid"));
      }
      const tooLarge = store.presign(key, { method: "PUT", size: 6 * 1024 ** 4, ...MINUTE });
      await assert.rejects(tooLarge, withCode("invalid"));
    },
  },
];
