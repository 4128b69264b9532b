import { randomUUID } from "node:crypto";
import { after, test, type TestContext } from "node:test";
import { atEnd } from "../../../../test/support/at-end.ts";
import { GcsServer } from "../../../../test/support/gcs-server.ts";
import { skip } from "../../../../test/support/require.ts";
import { type Deviation, objectStoreContract } from "../contract.ts";
import type { ObjectStore } from "../port.ts";
import { openGcs } from "./open.ts";
import { parseGcsUrl } from "./options.ts";

/** A store URL of a bucket to test with, where there is an account; each test keeps to a prefix of its own there. */
const ACCOUNT = process.env["HOLDALL_TEST_GCS_URL"];

/** It knows CRC32C and MD5 only. */
const lacks = ["checkSha256", "presignSha256"] as const;

const unsigned: Deviation = {
  test: "a request that was signed for one key or method is good for no other",
  reason: "fake-gcs-server looks at no signature; signing.test.ts looks at ours",
};

/** Each test for itself, so that this list says what the server in front is for. */
const unconditional: readonly Deviation[] = [
  { test: "delete with ifMatch removes this version only", reason: "fake-gcs-server ignores ifGenerationMatch there" },
  {
    test: "a copy replaces what is there, unless it is to create",
    reason: "fake-gcs-server ignores ifGenerationMatch there",
  },
  {
    test: "of several uploads that create one object exactly one succeeds",
    reason: "fake-gcs-server ignores ifGenerationMatch where objects are put together",
  },
];

if (ACCOUNT !== undefined) {
  objectStoreContract({ name: "gcs, with an account,", lacks, create: (t) => belowNewPrefix(t, ACCOUNT) });
} else {
  const server = await GcsServer.find();
  if ("missing" in server) test("gcs keeps the contract of ObjectStore", (t) => skip(t, server.missing));
  else overEmulator(server);
}

function overEmulator(server: GcsServer): void {
  after(() => server[Symbol.asyncDispose]());
  const create = async (endpoint: string): Promise<ObjectStore> =>
    await openGcs({ kind: "gs", bucket: await server.createBucket(), prefix: "some/prefix", endpoint });
  objectStoreContract({ name: "gcs", lacks, create: () => create(server.endpoint), deviations: [unsigned] });
  objectStoreContract({
    name: "gcs over fake-gcs-server as it is",
    lacks,
    create: () => create(server.bare),
    deviations: [unsigned, ...unconditional],
  });
}

async function belowNewPrefix(t: TestContext, url: string): Promise<ObjectStore> {
  const location = parseGcsUrl(url);
  const prefix = `${location.prefix ?? "holdall-test"}/${randomUUID()}`;
  atEnd(t, async () => {
    // The second has what the first hides: uploads that were not completed.
    for (const below of [prefix, `${prefix}/.holdall`]) {
      const store = await openGcs({ ...location, prefix: below });
      for await (const { key } of store.list("")) await store.delete(key);
      await store.close();
    }
  });
  return await openGcs({ ...location, prefix });
}
