import { randomUUID } from "node:crypto";
import { after, test, type TestContext } from "node:test";
import { atEnd } from "../../../../test/support/at-end.ts";
import { skip } from "../../../../test/support/require.ts";
import { S3Server } from "../../../../test/support/s3-server.ts";
import { objectStoreContract, type Deviation } from "../contract.ts";
import { parseKey } from "../key.ts";
import type { ObjectStore } from "../port.ts";
import { Bucket } from "./bucket.ts";
import { connectS3 } from "./client.ts";
import { DEVIATIONS, LACKS, s3Contracts } from "./fixtures/contracts.ts";
import { listUploads } from "./listing.ts";
import { openS3 } from "./open.ts";
import { parseS3Url, type S3Location } from "./options.ts";
import { S3Store } from "./store.ts";
import { Uploads } from "./uploads.ts";

const versitygw: readonly Deviation[] = [
  { test: "a key and one below it live side by side", reason: "a name is either a file or a folder" },
  {
    test: "delete with ifMatch removes this version only",
    reason: "versitygw takes a conditional deletion of what is absent for done (S3: 404)",
  },
  {
    test: "ifMatch and unconditional calls keep one order",
    reason: "versitygw deletes between the comparison and the replacement of a conditional PUT, about once in 400",
  },
];

/** A store URL of a real account or another server; credentials come from the usual places. */
const given = process.env["HOLDALL_TEST_S3_URL"];
const missing = given === undefined ? await S3Server.missing() : undefined;

if (given !== undefined) {
  const location = parseS3Url(given);
  const create = async (t: TestContext): Promise<ObjectStore> => {
    const prefix = parseKey([location.prefix, `holdall-test-${randomUUID()}`].filter(Boolean).join("/"));
    atEnd(t, () => clear({ ...location, prefix }));
    return await openS3({ ...location, prefix });
  };
  objectStoreContract({ name: `s3 (${given})`, create, lacks: LACKS, deviations: DEVIATIONS });
} else if (missing !== undefined) {
  test("s3 keeps the contract of ObjectStore", (t) => skip(t, missing));
} else {
  const server = await S3Server.start();
  after(() => server[Symbol.asyncDispose]());
  Object.assign(process.env, server.env);
  s3Contracts("versitygw", server, versitygw);
}

/** Removes all that a test has left, unfinished uploads too. */
async function clear(location: S3Location): Promise<void> {
  const connection = await connectS3(location);
  const [store, bucket] = [new S3Store(connection), new Bucket(connection)];
  for await (const { key } of store.list("")) await store.delete(key);
  for await (const { name, id } of listUploads(bucket)) {
    const key = bucket.keyOf(name);
    if (key !== undefined) await new Uploads(bucket, {}).giveUp({ key, id }, undefined);
  }
  await store.close();
}
