import { randomUUID } from "node:crypto";
import { after, test, type TestContext } from "node:test";
import { AzureServer } from "../../../../test/support/azure-server.ts";
import { skip } from "../../../../test/support/require.ts";
import { objectStoreContract } from "../contract.ts";
import type { ObjectStore } from "../port.ts";
import { openAzure } from "./open.ts";
import { parseAzureUrl } from "./options.ts";

/** Azure checks no SHA-256. */
const lacks = ["checkSha256", "presignSha256"] as const;

/**
 * A store in a real account, whose credentials are in the environment: a key or an identity, as a SAS signs nothing. Each
 * test has a prefix of its own there.
 */
const real = process.env["HOLDALL_TEST_AZURE_URL"];

if (real !== undefined) {
  objectStoreContract({ name: "azure", lacks, create: (t) => inAccount(t, real) });
} else {
  const server = await AzureServer.start();
  if ("missing" in server) test("azure keeps the contract of ObjectStore", (t) => skip(t, server.missing));
  else {
    after(() => server[Symbol.asyncDispose]());
    objectStoreContract({ name: "azure", lacks, create: () => inAzurite(server) });
  }
}

async function inAzurite(server: AzureServer): Promise<ObjectStore> {
  const { account, endpoint, env } = server;
  return await openAzure({ kind: "az", account, endpoint, container: await server.createContainer() }, env);
}

async function inAccount(t: TestContext, url: string): Promise<ObjectStore> {
  const location = parseAzureUrl(url);
  const prefix = `${location.prefix ?? "holdall-test"}/${randomUUID()}`;
  t.after(async () => {
    // The second has what the first hides: uploads that were not completed.
    for (const below of [prefix, `${prefix}/.holdall`]) {
      const store = await openAzure({ ...location, prefix: below });
      for await (const { key } of store.list("")) await store.delete(key);
      await store.close();
    }
  });
  return await openAzure({ ...location, prefix });
}
