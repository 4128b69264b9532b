import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Oid, RepositoryName } from "@holdall/lfs-protocol";
import { seededBytes, sha256 } from "../support/content.ts";
import { eventually } from "../support/eventually.ts";
import { send, type Answer } from "../support/http.ts";
import { basicAuthorization } from "../support/lfs-user.ts";
import { refusal } from "../support/messages.ts";
import { oidNamed, repositoryNamed } from "../support/names.ts";
import { passwordOf, WireServer } from "./support/wire-server.ts";

const server = await WireServer.start({ users: ["ada", "bob"], rules: [["users", "**", "write"]] });
const other = await WireServer.start();
after(async () => {
  await server[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});
const ada = server.as("ada");

const BYTES = seededBytes(1, 5000);
const OID = oidNamed(await ada.upload("team/app", BYTES));
const NEW = seededBytes(2, 5000);
const NEW_OID = oidNamed(sha256(NEW));
const APP = repositoryNamed("team/app");
const HOUR = 3_600_000;

/** Every token that was sent or issued here. */
const tokens = new Set<string>();

function issue(o: {
  oid: Oid;
  operation: "upload" | "download";
  repository?: RepositoryName;
  expires?: number;
  size?: number;
  by?: WireServer;
}): string {
  const { oid, operation, repository = APP, expires = HOUR, size = 5000, by = server } = o;
  const expiresAt = new Date(Date.now() + expires);
  return by.actionTokens.issue({ repository, operation, principal: "ada", expiresAt })(oid, size);
}

async function transfer(
  method: string,
  oid: string,
  token: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<Answer> {
  tokens.add(token);
  const path = `/team/app/objects/${oid}?token=${token}`;
  return await send({ port: server.port, method, path, headers, ...(method === "PUT" ? { body: NEW } : {}) });
}

const GOOD_GET = issue({ oid: OID, operation: "download" });
const GOOD_PUT = issue({ oid: NEW_OID, operation: "upload" });

function altered(token: string, part: number, text: string): string {
  return token
    .split(".")
    .map((each, index) => (index === part ? text : each))
    .join(".");
}

const BAD_GETS: ReadonlyArray<readonly [what: string, token: string]> = [
  ["that is empty", ""],
  ["that is garbage", "x"],
  ["that is very long", "h1.".padEnd(4000, "x")],
  ["with a letter changed", `${GOOD_GET.slice(0, -1)}${GOOD_GET.endsWith("A") ? "B" : "A"}`],
  ["that is cut", GOOD_GET.slice(0, -1)],
  ["with more behind it", `${GOOD_GET}x`],
  ["with a later expiry", altered(GOOD_GET, 1, "zzzzzzz")],
  ["for somebody else", altered(GOOD_GET, 2, "Ym9i")],
  ["for another size", altered(GOOD_GET, 3, "1")],
  ["that has expired", issue({ oid: OID, operation: "download", expires: -1000 })],
  ["of an upload", issue({ oid: OID, operation: "upload" })],
  ["of another object", issue({ oid: NEW_OID, operation: "download" })],
  ["of another repository", issue({ oid: OID, operation: "download", repository: repositoryNamed("team/other") })],
  ["of another server", issue({ oid: OID, operation: "download", by: other })],
];

for (const [what, token] of BAD_GETS) {
  test(`a download by a token ${what} is 403, with credentials too`, async () => {
    for (const headers of [{}, basic("ada")]) {
      refusal(403, await transfer("GET", OID, token, headers));
      assert.equal((await transfer("HEAD", OID, token, headers)).status, 403);
    }
  });
}

const BAD_PUTS: ReadonlyArray<readonly [what: string, token: string]> = [
  ["that is empty", ""],
  ["that has expired", issue({ oid: NEW_OID, operation: "upload", expires: -1000 })],
  ["of a download", issue({ oid: NEW_OID, operation: "download" })],
  ["of another object", issue({ oid: OID, operation: "upload" })],
  ["of another repository", issue({ oid: NEW_OID, operation: "upload", repository: repositoryNamed("team/other") })],
  ["of another server", issue({ oid: NEW_OID, operation: "upload", by: other })],
  ["for another size", altered(GOOD_PUT, 3, "1")],
];

for (const [what, token] of BAD_PUTS) {
  test(`an upload by a token ${what} is 403, with credentials too, and stores nothing`, async () => {
    const before = await server.stored();
    for (const headers of [{}, basic("ada")]) refusal(403, await transfer("PUT", NEW_OID, token, headers));
    assert.deepEqual(await server.stored(), before);
  });
}

test("an expired token says that it has, and what to do", async () => {
  const token = issue({ oid: OID, operation: "download", expires: -1000 });

  assert.match(refusal(403, await transfer("GET", OID, token)).message, /expired.*batch/s);
});

/** What CI checkouts, proxies and credential helpers make of the Authorization header. */
const AUTHORIZATIONS: ReadonlyArray<readonly [what: string, value: string | readonly string[]]> = [
  ["of a wrong password", basic("ada", "wrong").Authorization],
  ["of somebody who may not", basic("nobody").Authorization],
  ["that is garbage", "garbage"],
  ["that is empty", ""],
  ["of another scheme", "AWS4-HMAC-SHA256 Credential=x"],
  ["that comes twice", ["Bearer x", basic("ada", "wrong").Authorization]],
];

for (const [what, value] of AUTHORIZATIONS) {
  test(`a link of a batch works beside an Authorization header ${what}`, async () => {
    for (let n = 0; n < 10; n += 1) {
      assert.equal((await transfer("GET", OID, GOOD_GET, { Authorization: value })).status, 200);
      assert.equal((await transfer("PUT", NEW_OID, GOOD_PUT, { Authorization: value })).status, 200);
    }
  });
}

test("a link works although its user is gone, until it expires: the decision was the batch's", async () => {
  const path = await server.as("bob").target("team/app", "download", { oid: OID });
  await server.metadata.users.remove("bob");

  assert.deepEqual((await send({ port: server.port, method: "GET", path })).body, BYTES);
});

test("the first Authorization header counts where there are two and no token", async () => {
  const path = `/team/app/objects/${OID}`;
  const call = (values: readonly string[]): Promise<Answer> =>
    send({ port: server.port, method: "GET", path, headers: { Authorization: values } });

  assert.equal((await call([basic("ada").Authorization, "Basic x"])).status, 200);
  assert.equal((await call(["Basic x", basic("ada").Authorization])).status, 401);
});

test("no token is ever in the log, at no level, whatever becomes of the request", async () => {
  const secrets = [...tokens].filter((token) => token.length > 20);
  const [token = ""] = secrets;
  for (const path of [
    `/nothing/here?token=${token}`,
    `/team/app/objects/x?token=${token}`,
    `/team/app/locks/%zz/unlock?token=${token}`,
    `/team/app/objects/${OID}?token=${token}&token=${token}`,
    `/team/app/objects/${OID}?token=${token}${"x".repeat(9000)}`,
    `/team%zz/objects/${OID}?token=${token}`,
    `/healthz?token=${token}`,
  ]) {
    for (const method of ["GET", "PUT", "POST", "OPTIONS"]) await send({ port: server.port, method, path, body: "x" });
  }
  await server.as("nobody").get("team/app/locks");
  await eventually("all is logged", () =>
    server.log.some((line) => line.includes("healthz") && line.includes("OPTIONS")),
  );

  const log = server.log.join("");
  assert.ok(secrets.length > 15);
  for (const secret of secrets) assert.ok(!log.includes(secret.slice(-24)), "a token is in the log");
  assert.doesNotMatch(log, /token=|password of|Basic |cGFzc3dvcmQg/);
});

function basic(name: string, password = passwordOf(name)): { readonly Authorization: string } {
  return basicAuthorization(`${name}:${password}`);
}
