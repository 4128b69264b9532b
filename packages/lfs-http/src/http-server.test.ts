import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createHttpServer } from "./http-server.ts";
import type { LfsServerLimits } from "./options.ts";

const LIMITS: LfsServerLimits = {
  jsonBody: 4 * 1024 * 1024,
  headerBytes: 20_000,
  urlBytes: 16_000,
  idleTimeout: 123_000,
  headersTimeout: 31_000,
  keepAliveTimeout: 76_000,
};

// What takes minutes cannot be waited for here: these are the settings by which Node ends connections.
test("no time-out counts the time of a whole request, and the others are those that were asked for", () => {
  const { requestTimeout, timeout, headersTimeout, keepAliveTimeout } = createHttpServer(LIMITS);
  assert.deepEqual(
    { requestTimeout, timeout, headersTimeout, keepAliveTimeout },
    { requestTimeout: 0, timeout: 123_000, headersTimeout: 31_000, keepAliveTimeout: 76_000 },
  );
});

test("headers may be larger than Node's own limit, up to ours", async (t) => {
  const server = createHttpServer(LIMITS).on("request", (_request, response) => response.end());
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  for (const [size, status] of [
    [19_000, 200],
    [21_000, 431],
  ] as const) {
    const [answer] = await once(get({ port, agent: false, headers: { "X-Long": "x".repeat(size) } }), "response");
    assert.equal(answer.resume().statusCode, status);
  }
});
