import assert from "node:assert/strict";
import type { CloudStore } from "../../support/cloud-stores.ts";
import type { Server } from "../../support/server.ts";

/** Nothing that the server has written has the keys to its store in it, or what is made with them. */
export function assertNoSecrets(server: Server, { env }: CloudStore): void {
  const written = [...server.logged(() => true).map(({ text }) => text), ...server.unlogged()].join("\n");
  const secrets = Object.entries(env).filter(([name]) => /_KEY(_ID)?$/.test(name));
  for (const [name, secret = ""] of secrets) assert.ok(!written.includes(secret), `${name} is in the log`);
  assert.doesNotMatch(written, /AWS4-HMAC-SHA256|SharedKey |Signature=|Bearer /i);
}
