import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../support/content.ts";
import { refusal } from "../support/messages.ts";
import { RawConnection, statusOf } from "../support/raw-connection.ts";
import { Server } from "../support/server.ts";
import { story } from "./support/story.ts";

const REPOSITORY = "team/app";
const BYTES = Buffer.from("an object");

/** As no default is. */
const LIMITS = {
  jsonBody: "2KiB",
  batchObjects: 3,
  headerBytes: "3KiB",
  urlBytes: "1200",
  headersTimeout: "1s",
  idleTimeout: "5s",
  keepAliveTimeout: "99s",
};

/** Far from the time-out above and from the default, on any machine. */
const EARLY_MS = 60_000;

story("what the configuration says is what the server does", async (t) => {
  const config = { createRepositories: false, layout: "per-repository", actionLifetime: "3h", limits: LIMITS };
  const server = await Server.start(t, { config });
  const user = server.user();

  await t.test("createRepositories: nobody makes one by writing to it", async () => {
    refusal(404, await user.post(`${REPOSITORY}/locks`, { path: "a.bin" }));
    await server.holdall(["repo", "create", REPOSITORY]);
  });

  await t.test("layout: objects lie where it says", async () => {
    const oid = await user.upload(REPOSITORY, BYTES);
    assert.equal((await stat(join(server.data, "store", REPOSITORY, oid))).size, BYTES.length);
  });

  await t.test("actionLifetime: clients are told so", async () => {
    const { actions } = await user.ask(REPOSITORY, "download", { oid: sha256(BYTES), size: BYTES.length });
    assert.equal(actions?.download?.expires_in, 3 * 3600);
  });

  await t.test("limits.batchObjects", async () => {
    const objects = ["a", "b", "c", "d"].map((letter) => ({ oid: letter.repeat(64), size: 1 }));
    assert.equal((await user.askBatch(REPOSITORY, "upload", objects.slice(1))).status, 200);
    assert.match(refusal(413, await user.askBatch(REPOSITORY, "upload", objects)).message, /\b3\b/);
  });

  await t.test("limits.jsonBody", async () => {
    const lock = (path: string): ReturnType<typeof user.post> => user.post(`${REPOSITORY}/locks`, { path });
    assert.equal((await lock("x".repeat(1900))).status, 201);
    refusal(413, await lock("x".repeat(2100)));
  });

  await t.test("limits.urlBytes", async () => {
    const find = (length: number): ReturnType<typeof user.get> =>
      user.get(`${REPOSITORY}/locks?path=`.padEnd(length, "x"));
    assert.equal((await find(1100)).status, 200);
    refusal(414, await find(1300));
  });

  await t.test("limits.headerBytes", async () => {
    const ask = (length: number): ReturnType<typeof user.request> =>
      user.request("GET", "/healthz", { headers: { "X-Long": "x".repeat(length) } });
    assert.equal((await ask(2000)).status, 200);
    assert.equal((await ask(4000)).status, 431);
  });

  await t.test("limits.keepAliveTimeout", async () => {
    assert.match(String((await user.get("healthz")).headers["keep-alive"]), /timeout=99\b/);
  });

  await t.test("limits.headersTimeout", async () => {
    using connection = await RawConnection.open(server.port);
    connection.write("GET /healthz HTTP/1.1\r\n");
    // Before the connection has been idle for too long.
    assert.equal(statusOf((await connection.closed()).text), 408);
  });

  await t.test("limits.idleTimeout", async () => {
    const path = await user.target(REPOSITORY, "upload", { oid: "a".repeat(64), size: 100 });
    using connection = await RawConnection.open(server.port);
    const begun = Date.now();
    connection.head(`PUT ${path} HTTP/1.1`, "Host: x", "Content-Length: 100").write("x");
    await connection.closed();
    assert.ok(Date.now() - begun < EARLY_MS);
  });
});

story("limits.maxConnections is what the configuration says", async (t) => {
  const server = await Server.start(t, { config: { limits: { maxConnections: 2 } } });
  using first = await RawConnection.open(server.port);
  using second = await RawConnection.open(server.port);
  for (const connection of [first, second]) {
    connection.head("GET /healthz HTTP/1.1", "Host: x");
    await connection.until(/"ok"/);
  }
  using third = await RawConnection.open(server.port);
  third.head("GET /healthz HTTP/1.1", "Host: x");
  assert.equal((await third.closed()).text, "");
});

story("links begin with what --public-url says", async (t) => {
  // Of this machine, so that nobody has to sign in.
  const server = await Server.start(t, { args: ["--public-url", "https://lfs.localhost:8443/base/"] });
  const { actions } = await server.user().ask(REPOSITORY, "upload", { oid: "a".repeat(64), size: 1 });
  assert.match(actions?.upload?.href ?? "", /^https:\/\/lfs\.localhost:8443\/base\/team\/app\.git\/info\/lfs\//);
});
