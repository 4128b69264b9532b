import assert from "node:assert/strict";
import { after, test } from "node:test";
import { BatchResponse } from "@holdall/lfs-protocol";
import { send, type Answer } from "../support/http.ts";
import { message, refusal } from "../support/messages.ts";
import { exchange, statusOf } from "../support/raw-connection.ts";
import { WireServer } from "./support/wire-server.ts";

const OID = "a".repeat(64);
const BATCH = JSON.stringify({ operation: "upload", objects: [{ oid: OID, size: 1 }] });

const plain = await WireServer.start();
const known = await WireServer.start({ publicUrl: "https://lfs.example/" });
after(async () => {
  await plain[Symbol.asyncDispose]();
  await known[Symbol.asyncDispose]();
});

function batch(server: WireServer, headers: Record<string, string>, path = "/team/app"): Promise<Answer> {
  return send({
    port: server.port,
    method: "POST",
    path: `${path}/objects/batch`,
    headers: { "Content-Type": "application/vnd.git-lfs+json", ...headers },
    body: BATCH,
  });
}

/** Where a batch asked with these headers sends its client, without the part that changes each time. */
async function whereTo(server: WireServer, headers: Record<string, string>, path?: string): Promise<string> {
  const { objects } = message(BatchResponse, 200, await batch(server, headers, path));
  return (objects[0]?.actions?.upload?.href ?? "").replace(/\/objects\/.*/, "");
}

test("links lead to the host that the client asked for", async () => {
  for (const host of ["lfs.example", "lfs.example:8080", "under_score.example", "192.0.2.1:1", "[2001:db8::1]:443"]) {
    assert.equal(await whereTo(plain, { Host: host }), `http://${host}/team/app.git/info/lfs`);
  }
});

test("with a public URL, links lead there whatever host the client names", async () => {
  for (const host of ["evil.example", "evil.example/x", "user@evil.example"]) {
    assert.equal(await whereTo(known, { Host: host }), "https://lfs.example/team/app.git/info/lfs", host);
  }
});

test("a public URL with a path works, whether the proxy takes the path off or leaves it", async () => {
  await using server = await WireServer.start({ publicUrl: "https://git.example/lfs/data" });
  const expected = "https://git.example/lfs/data/team/app.git/info/lfs";

  for (const path of ["/team/app", "/lfs/data/team/app", "/lfs/data/team/app.git/info/lfs", "/team/app.git"]) {
    assert.equal(await whereTo(server, {}, path), expected, path);
  }
  // Whether a proxy has taken the path off once is not to be seen, so both are the same repository.
  for (const path of ["/lfs/data/team/app", "/lfs/data/lfs/data/team/app"]) {
    assert.equal(await whereTo(server, {}, path), expected, path);
  }
  for (const path of ["/healthz", "/lfs/data/healthz", "/readyz", "/lfs/data/readyz"]) {
    assert.equal((await server.as().request("GET", path)).status, 200, path);
  }
  // A repository whose name only begins like the path is another one.
  assert.match(await whereTo(server, {}, "/lfs/database"), /\/lfs\/data\/lfs\/database\.git/);
});

test("bytes go through links below a public path", async () => {
  await using server = await WireServer.start({ publicUrl: "https://git.example/lfs" });
  const user = server.as();

  const oid = await user.upload("lfs/app", Buffer.from("some bytes"));

  assert.equal((await user.download("app", { oid })).body.toString(), "some bytes");
});

/** Host headers that would make links lead astray. */
const HOSTILE = [
  "evil.example/x",
  "evil.example?x",
  "evil.example#x",
  "user@evil.example",
  "a b",
  "a\tb",
  "x:y",
  "x:",
  "[::1",
  "http://evil.example",
  "evil.example\\x",
  "<script>",
  '"',
  "a,b",
  "%2e",
  "x:123456",
];

for (const host of HOSTILE) {
  test(`a Host header that is no host is refused where links are made: ${host}`, async () => {
    refusal(400, await batch(plain, { Host: host }));
  });
}

/** Requests that name no host, as far as HTTP lets them. */
const HOSTLESS = [
  ["HTTP/1.1 with an empty Host header", ["POST /app/objects/batch HTTP/1.1", "Host:"]],
  ["HTTP/1.0 without a Host header", ["POST /app/objects/batch HTTP/1.0"]],
] as const;

for (const [what, lines] of HOSTLESS) {
  test(`a client that names no host hears what to do about it: ${what}`, async () => {
    const head = [...lines, `Content-Length: ${BATCH.length}`, "Content-Type: application/json"];

    const refused = await exchange(plain.port, head, BATCH);
    assert.equal(statusOf(refused), 400, refused);
    assert.match(refused, /publicUrl/);
    // With a public URL nothing depends on it.
    const granted = await exchange(known.port, head, BATCH);
    assert.equal(statusOf(granted), 200, granted);
  });
}

test("an HTTP/1.1 request without a Host header is 400", async () => {
  assert.equal(statusOf(await exchange(plain.port, ["GET /app/locks HTTP/1.1"])), 400);
});

const FORWARDED = {
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "lfs.example",
  "X-Forwarded-For": "203.0.113.9",
  Host: "inside:8080",
};

test("X-Forwarded-* headers are believed when a trusted proxy sends them", async () => {
  for (const trustedProxies of [["127.0.0.1"], ["10.0.0.0/8", "127.0.0.0/8"]]) {
    await using server = await WireServer.start({ trustedProxies });

    assert.equal(await whereTo(server, FORWARDED), "https://lfs.example/team/app.git/info/lfs");

    assert.match(await lastLine(server), /"ip":"203\.0\.113\.9"/, "the log names the client, not the proxy");
  }
});

test("X-Forwarded-* headers are ignored when nobody or somebody else is trusted", async () => {
  await using other = await WireServer.start({ trustedProxies: ["10.0.0.0/8", "192.0.2.1"] });

  for (const server of [plain, other]) {
    assert.equal(await whereTo(server, FORWARDED), "http://inside:8080/team/app.git/info/lfs");

    assert.match(await lastLine(server), /"ip":"127\.0\.0\.1"/);
  }
});

test("what a trusted proxy forwards is no link either unless it is an address", async () => {
  await using server = await WireServer.start({ trustedProxies: ["127.0.0.1"] });

  refusal(400, await batch(server, { ...FORWARDED, "X-Forwarded-Host": "evil.example/x" }));
  refusal(400, await batch(server, { ...FORWARDED, "X-Forwarded-Proto": "javascript" }));
  // Of a chain of proxies the last one, which is ours, is believed.
  const chain = { "X-Forwarded-Host": "evil.example, lfs.example", "X-Forwarded-Proto": "http, https" };
  assert.equal(await whereTo(server, { ...FORWARDED, ...chain }), "https://lfs.example/team/app.git/info/lfs");
});

/** The log line of the request that was answered last. */
async function lastLine(server: WireServer): Promise<string> {
  while (!(server.log.at(-1) ?? "").includes("answered")) await new Promise(setImmediate);
  return server.log.at(-1) ?? "";
}
