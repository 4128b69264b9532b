import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { maskSecrets, safeUrl } from "./mask-secrets.ts";

const API_TOKEN = `hld_${"aB3".repeat(17)}`.slice(0, 53);
const ACTION_TOKEN = `h1.t0abc.YWxpY2U.1z.${"Ab-_".repeat(6)}`;
const BASIC = Buffer.from("alice:hunter2").toString("base64");

describe("what must never be read in a log line", () => {
  for (const [what, logged, secrets] of [
    ["an authorization header", { headers: { authorization: `Basic ${BASIC}` } }, [BASIC]],
    ["one of any scheme", { headers: { Authorization: "Secretive hunter2" } }, ["hunter2"]],
    ["one for a proxy", { "proxy-authorization": `Basic ${BASIC}` }, [BASIC]],
    [
      "raw headers",
      { rawHeaders: ["Authorization", `Basic ${BASIC}`, "X", `bearer ${API_TOKEN}`] },
      [BASIC, API_TOKEN],
    ],
    ["cookies", { a: { b: { cookie: 'session="hunter2"; b=c' } } }, ["hunter2"]],
    ["cookies that are set", { "set-cookie": ["a=hunter2; Path=/", "b=swordfish"] }, ["hunter2", "swordfish"]],
    ["a password with quotes and backslashes", { user: { password: 'hun"ter2\\' } }, ["hun", "ter2"]],
    ["a password hash", { passwordHash: "$scrypt$hunter2" }, ["hunter2"]],
    ["a secret and a token", { secret: "hunter2", accessToken: "swordfish" }, ["hunter2", "swordfish"]],
    ["a token in a URL", { url: `/a/b?x=1&token=${ACTION_TOKEN}&y=2` }, [ACTION_TOKEN]],
    ["a token in a message", { msg: `GET /a?token=hunter2 failed` }, ["hunter2"]],
    ["an encoded name in a URL", { url: "/a?%74oken=hunter2" }, ["hunter2"]],
    ["an action token anywhere", { msg: `bad ${ACTION_TOKEN} here` }, [ACTION_TOKEN]],
    ["an API token anywhere", { err: { stack: `Error: ${API_TOKEN}\n at x` } }, [API_TOKEN]],
    ["credentials in a URL", { err: { message: "cannot fetch https://alice:hunter2@host/a" } }, ["hunter2"]],
  ] as const) {
    test(`${what} is masked, and the line stays JSON`, () => {
      const line = JSON.stringify({ before: 1, ...logged, after: [2] });
      const masked = maskSecrets(line);
      for (const secret of secrets) assert.ok(!masked.includes(secret), masked);
      const { before, after } = JSON.parse(masked) as { before: number; after: number[] };
      assert.deepEqual([before, after], [1, [2]]);
    });
  }
});

test("what is no secret stays as it is", () => {
  const line = JSON.stringify({
    tokenId: "HQRB69emGSu",
    url: "https://host/team/app.git/info/lfs/objects/batch?a=b@c",
    msg: "user alice@example.com locked a/b",
    oid: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    passwords: 3,
  });
  assert.equal(maskSecrets(line), line);
});

test("a long line takes time in proportion", () => {
  for (const piece of ['"', "token", "?token", "//a:", '\\"', "hld_", "h1.", "Basic "]) {
    const line = JSON.stringify({ msg: piece.repeat(200_000) });
    const start = performance.now();
    maskSecrets(line);
    // Linear work is a few milliseconds; backtracking over the line would be hours.
    assert.ok(performance.now() - start < 5000, piece);
  }
});

test("a safe URL keeps all but the token and the credentials", () => {
  assert.equal(safeUrl("/a/b/objects/x?token=hunter2&expires=5#z"), "/a/b/objects/x?token=***&expires=5#z");
  assert.equal(safeUrl("https://alice:hunter2@host/a?b=c"), "https://***@host/a?b=c");
  assert.equal(safeUrl("/team/app.git/info/lfs/locks?path=a%20b"), "/team/app.git/info/lfs/locks?path=a%20b");
});
