import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { type Enforcer, ENFORCERS, lacking, type Policy } from "../../../../test/support/s3-enforcers.ts";
import {
  assertBytes,
  bodyOf,
  bytesOf,
  collect,
  failingBody,
  getBytes,
  key,
  listKeys,
  MiB,
  putBytes,
  sha256Of,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { type ObjectKey, parseKey } from "../key.ts";
import type { SignedRequest } from "../port.ts";
import { Bucket } from "./bucket.ts";
import { connectAs } from "./fixtures/connect-as.ts";
import { listUploads } from "./listing.ts";
import { S3Store } from "./store.ts";

const PREFIX = parseKey("team a/lfs");
const ELSEWHERE = parseKey("team b/lfs");

/** The policy that docs/storage.md tells users to set, for a bucket or a part of it. */
const documented = await readPolicy();
const ACTIONS = documented("bucket", undefined).Statement.flatMap(({ Action }) => Action);

async function readPolicy(): Promise<(bucket: string, prefix: string | undefined) => Policy> {
  const docs = await readFile(new URL("../../../../docs/storage.md", import.meta.url), "utf8");
  const [, block] = /^## Amazon S3.*?^```json\n(.*?)^```$/ms.exec(docs) ?? [];
  assert.ok(block !== undefined, "docs/storage.md has a policy for S3");
  return (bucket, prefix) => {
    const text = block.replaceAll("BUCKET", bucket);
    if (prefix !== undefined) return JSON.parse(text.replaceAll("PREFIX", prefix)) as Policy;
    // As it says below the policy.
    const leave = (name: string, value: unknown): unknown => (name === "Condition" ? undefined : value);
    return JSON.parse(text.replaceAll("/PREFIX", ""), leave) as Policy;
  };
}

/** Two who look at one store: one who may do everything and prepares, and one who may do what the policy says. */
interface Parties {
  readonly user: S3Store;
  readonly owner: S3Store;
  readonly ownerBucket: Bucket;
}

interface Call {
  readonly needs: readonly string[];
  /** @throws StorageError `denied` when it is */
  readonly run: (parties: Parties) => Promise<unknown>;
}

const [GET, PUT] = ["s3:GetObject", "s3:PutObject"];
const SMALL = bytesOf(1, 10);
const LARGE = bytesOf(2, 8 * MiB + 1);
const other = parseKey("objects/two");

/** All that the server asks of a store. */
const CALLS: Readonly<Record<string, Call>> = {
  stat: { needs: [GET], run: async ({ user }) => assert.equal((await user.stat(key))?.size, SMALL.length) },
  "stat of what is absent": {
    needs: [GET, "s3:ListBucket"],
    run: async ({ user }) => assert.equal(await user.stat(parseKey("objects/absent")), undefined),
  },
  get: { needs: [GET], run: async ({ user }) => assertBytes(await getBytes(user, key), SMALL) },
  "get of a range": {
    needs: [GET],
    run: async ({ user }) => {
      const { body } = await user.get(key, { range: { start: 2, end: 4 } });
      assertBytes(Buffer.concat(await collect(body)), SMALL.subarray(2, 5));
    },
  },
  list: { needs: ["s3:ListBucket"], run: async ({ user }) => assert.ok((await listKeys(user)).includes(key)) },
  put: { needs: [PUT], run: ({ user }) => putBytes(user, other, SMALL) },
  "put that creates": {
    needs: [PUT],
    run: ({ user }) => putBytes(user, parseKey("created"), SMALL, { ifAbsent: true }),
  },
  "put in parts": { needs: [PUT], run: ({ user }) => putBytes(user, parseKey("large"), LARGE, { ifAbsent: true }) },
  "put in parts that fails": {
    needs: [PUT, "s3:AbortMultipartUpload"],
    run: async ({ user, ownerBucket }) => {
      const [at, own] = [parseKey("broken"), new Error("the body's own")];
      await user.put(at, failingBody(LARGE, own), { size: LARGE.length }).catch((error: unknown) => {
        if (error !== own) throw error;
      });
      const left = await collect(listUploads(ownerBucket));
      // Nobody hears of it that parts could not be given up.
      if (left.some(({ name }) => name === ownerBucket.nameOf(at))) throw new StorageError("denied", "parts are left");
    },
  },
  copy: { needs: [GET, PUT], run: ({ user }) => user.copy(key, parseKey("copy")) },
  "copy that creates": {
    needs: [GET, PUT],
    run: ({ user }) => user.copy(key, parseKey("created copy"), { ifAbsent: true }),
  },
  delete: {
    needs: ["s3:DeleteObject"],
    run: async ({ user, owner }) => {
      await putBytes(owner, other, SMALL);
      await user.delete(other);
      assert.equal(await owner.stat(other), undefined);
    },
  },
  "presigned GET": {
    needs: [GET],
    run: async ({ user }) => assertBytes(await send(await user.presign(key, { method: "GET", expiresIn: 60 })), SMALL),
  },
  "presigned PUT": {
    needs: [PUT],
    run: async ({ user }) => {
      const o = { method: "PUT", size: SMALL.length, sha256: sha256Of(SMALL), mark: "mark", expiresIn: 60 } as const;
      await send(await user.presign(parseKey("direct"), o), SMALL);
    },
  },
  "multipart: create": { needs: [PUT], run: ({ user }) => user.multipart.create(other) },
  "multipart: part": {
    needs: [PUT],
    run: async ({ user, owner }) => {
      const upload = await owner.multipart.create(other);
      await user.multipart.putPart(other, upload, 1, bodyOf(SMALL), { size: SMALL.length });
    },
  },
  "multipart: presigned part": {
    needs: [PUT],
    run: async ({ user, owner }) => {
      const upload = await owner.multipart.create(other);
      const o = { size: SMALL.length, expiresIn: 60 };
      await send(await user.multipart.presignPart(other, upload, 1, o), SMALL);
    },
  },
  "multipart: parts": {
    needs: ["s3:ListMultipartUploadParts"],
    run: async ({ user, owner }) => {
      const upload = await owner.multipart.create(other);
      assert.deepEqual(await collect(user.multipart.parts(other, upload)), []);
    },
  },
  "multipart: complete": {
    needs: [PUT],
    run: async ({ user, owner }) => {
      const upload = await owner.multipart.create(other);
      const part = await owner.multipart.putPart(other, upload, 1, bodyOf(SMALL), { size: SMALL.length });
      await user.multipart.complete(other, upload, [part]);
    },
  },
  "multipart: abort": {
    needs: ["s3:AbortMultipartUpload"],
    run: async ({ user, owner }) => await user.multipart.abort(other, await owner.multipart.create(other)),
  },
  sweep: { needs: ["s3:ListBucketMultipartUploads"], run: ({ user }) => user.sweep() },
};

/** As somebody who holds nothing but the request. */
async function send({ method, url, headers }: SignedRequest, body?: Uint8Array): Promise<Buffer> {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) });
  const answer = Buffer.from(await response.arrayBuffer());
  if (response.status === 403) throw new StorageError("denied", answer.toString());
  assert.equal(response.status, 200, answer.toString());
  return answer;
}

interface Trial {
  /** Where the policy allows something. */
  readonly allowed: ObjectKey | undefined;
  /** Where the calls go. */
  readonly at?: ObjectKey;
  /** An action that is left out of the policy. */
  readonly without?: string;
  readonly isDenied: (call: Call) => boolean;
}

async function assertDenied(t: TestContext, enforcer: Enforcer, trial: Trial): Promise<void> {
  const { allowed, at = allowed, without, isDenied } = trial;
  const bucket = await enforcer.createBucket();
  const user = await enforcer.admit(bucket, lacking(documented(bucket, allowed), without));
  const [all, some] = [await connectAs(t, enforcer.owner, bucket, at), await connectAs(t, user, bucket, at)];
  const parties = { user: new S3Store(some), owner: new S3Store(all), ownerBucket: new Bucket(all) };
  await putBytes(parties.owner, key, SMALL);
  for (const [name, call] of Object.entries(CALLS)) {
    const title = `${name}, without ${without ?? "nothing"}`;
    const done = call.run(parties);
    if (isDenied(call)) await assert.rejects(done, withCode("denied"), `${title}, is not denied`);
    else await assert.doesNotReject(done, title);
  }
}

for (const [name, start] of Object.entries(ENFORCERS)) {
  test(`the documented policy allows all that the server asks of a store (${name})`, async (t) => {
    const enforcer = await start(t);
    if (enforcer === undefined) return;
    for (const allowed of [PREFIX, undefined]) await assertDenied(t, enforcer, { allowed, isDenied: () => false });
  });

  test(`the documented policy allows nothing outside of the prefix (${name})`, async (t) => {
    const enforcer = await start(t);
    if (enforcer === undefined) return;
    // Unfinished uploads can be seen, and none of them touched.
    const isDenied = (call: Call): boolean => call !== CALLS["sweep"];
    await assertDenied(t, enforcer, { allowed: PREFIX, at: ELSEWHERE, isDenied });
  });

  test(`the documented policy has no action that is not needed (${name})`, async (t) => {
    const enforcer = await start(t);
    if (enforcer === undefined) return;
    for (const without of ACTIONS) {
      const isDenied = ({ needs }: Call): boolean => needs.includes(without);
      assert.ok(Object.values(CALLS).some(isDenied), `nothing needs ${without}`);
      await assertDenied(t, enforcer, { allowed: PREFIX, without, isDenied });
    }
  });
}
