import { randomUUID } from "node:crypto";
import { after, test, type TestContext } from "node:test";
import { AzureServer } from "../../../../test/support/azure-server.ts";
import { skip } from "../../../../test/support/require.ts";
import { objectStoreContract } from "../contract.ts";
import type { ObjectStore } from "../port.ts";
import { openAzure } from "./open.ts";
import { parseAzureUrl } from "./options.ts";

/** A store in a real account, whose credentials are in the environment; each test has a prefix of its own there. */
const real = process.env["HOLDALL_TEST_AZURE_URL"];

if (real !== undefined) {
  objectStoreContract({ name: "azure", create: (t) => inAccount(t, real) });
} else {
  const server = await AzureServer.start();
  if ("missing" in server) test("azure keeps the contract of ObjectStore", (t) => skip(t, server.missing));
  else {
    after(() => server[Symbol.asyncDispose]());
    objectStoreContract({ name: "azure", create: () => inAzurite(server) });
  }
}

async function inAzurite(server: AzureServer): Promise<ObjectStore> {
  const { account, endpoint, env } = server;
  return await openAzure({ kind: "az", account, endpoint, container: await server.createContainer() }, env);
}

async function inAccount(t: TestContext, url: string): Promise<ObjectStore> {
  const location = parseAzureUrl(url);
  const store = await openAzure({ ...location, prefix: [location.prefix, randomUUID()].filter(Boolean).join("/") });
  t.after(async () => {
    for await (const { key } of store.list("")) await store.delete(key);
  });
  return store;
}
