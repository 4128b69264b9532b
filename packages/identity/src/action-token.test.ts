import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { parseOid, parseRepositoryName, type Oid, type RepositoryName } from "@holdall/lfs-protocol";
import fc from "fast-check";
import { ActionTokens, type ActionOperation } from "./action-token.ts";
import { BatchHmac } from "./batch-hmac.ts";

function oid(digit: string): Oid {
  const parsed = parseOid(digit.repeat(64));
  assert.ok(parsed !== undefined);
  return parsed;
}

function repository(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  assert.ok(name !== undefined);
  return name;
}

const SECRET = Buffer.alloc(32, "secret");
const EXPIRES = new Date("2030-01-01T00:00:00Z");
const BEFORE = new Date(EXPIRES.getTime() - 1);
const GRANT = {
  repository: repository("team/app"),
  operation: "upload",
  principal: "alice",
  expiresAt: EXPIRES,
} as const;
const ASKED = { repository: GRANT.repository, operation: GRANT.operation, oid: oid("a"), now: BEFORE } as const;
const OPERATIONS: ActionOperation[] = ["download", "upload", "verify"];
const tokens = new ActionTokens({ secret: SECRET });
const INVALID = { name: "IdentityError", code: "invalid-action-token" };

describe("ActionTokens", () => {
  it("returns what the batch decided, to whoever asks for just that", () => {
    const principal = fc.string({ unit: "grapheme", minLength: 1, maxLength: 64 });
    const size = fc.option(fc.maxSafeNat(), { nil: undefined });
    fc.assert(
      fc.property(principal, size, fc.constantFrom(...OPERATIONS), (name, bytes, operation) => {
        const token = tokens.issue({ ...GRANT, operation, principal: name })(ASKED.oid, bytes);
        assert.deepEqual(tokens.verify(token, { ...ASKED, operation }), {
          ...(bytes === undefined ? {} : { size: bytes }),
          principal: name,
          expiresAt: EXPIRES,
        });
      }),
      {
        seed: 5,
        examples: [
          ["alice", 0, "upload"],
          ["alice", Number.MAX_SAFE_INTEGER, "verify"],
        ],
      },
    );
  });

  it("is the documented construction, so that another program can make one", () => {
    const shared = `h1.${(EXPIRES.getTime() / 1000).toString(36)}.YWxpY2U`;
    const key = createHmac("sha256", SECRET).update(`holdall action token\0${shared}\0upload\0team/app`).digest();
    const mac = createHmac("sha256", key).update(`${ASKED.oid}.ya`).digest("base64url").slice(0, 24);
    assert.equal(tokens.issue(GRANT)(ASKED.oid, 1234), `${shared}.ya.${mac}`);
  });

  it("is short and needs no escaping in a URL", () => {
    const longest = tokens.issue({ ...GRANT, principal: "x".repeat(64) })(ASKED.oid, Number.MAX_SAFE_INTEGER);
    assert.ok(longest.length < 150, `${longest.length} characters`);
    assert.match(longest, /^[A-Za-z0-9._-]+$/);
  });

  it("is good for no other operation, object or repository", () => {
    const token = tokens.issue(GRANT)(ASKED.oid, 10);
    for (const operation of OPERATIONS.filter((o) => o !== GRANT.operation)) {
      assert.throws(() => tokens.verify(token, { ...ASKED, operation }), INVALID);
    }
    assert.throws(() => tokens.verify(token, { ...ASKED, oid: oid("b") }), INVALID);
    for (const name of ["team/ap", "team/app2", "Team/app", "team", "app"]) {
      assert.throws(() => tokens.verify(token, { ...ASKED, repository: repository(name) }), INVALID);
    }
  });

  it("does not survive the change of any character", () => {
    const issued = [tokens.issue(GRANT)(ASKED.oid, 12_345), tokens.issue(GRANT)(ASKED.oid)];
    const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
    for (const token of issued) {
      for (let at = 0; at < token.length; at++) {
        for (const other of [...printable, "", "é"]) {
          const changed = token.slice(0, at) + other + token.slice(at + 1);
          if (changed !== token) assert.throws(() => tokens.verify(changed, ASKED), INVALID);
        }
      }
    }
  });

  it("does not let parts of one token stand in another", () => {
    const parts = (token: string): string[] => token.split(".");
    const one = parts(tokens.issue(GRANT)(ASKED.oid, 10));
    const two = parts(
      tokens.issue({ ...GRANT, principal: "bob", expiresAt: new Date(EXPIRES.getTime() + 9000) })(ASKED.oid, 20),
    );
    const choices = one.map((part, i) => fc.constantFrom(part, two[i] ?? ""));
    fc.assert(
      fc.property(fc.tuple(...choices), (mixed) => {
        const token = mixed.join(".");
        if (token === one.join(".") || token === two.join(".")) tokens.verify(token, ASKED);
        else assert.throws(() => tokens.verify(token, ASKED), INVALID);
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  it("refuses arbitrary text as invalid and with no other error", () => {
    const parts = fc.array(fc.string({ maxLength: 30 }), { maxLength: 6 }).map((list) => ["h1", ...list].join("."));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), parts), (text) => {
        assert.throws(() => tokens.verify(text, ASKED), INVALID);
      }),
      { seed: 7, numRuns: 2000, examples: [[""], ["h1.0.0.0."], [`h1.zzzzzzzzzzz.x..${"A".repeat(24)}`]] },
    );
  });

  it("ends at its expiry, and says so only of a token that was good", () => {
    const token = tokens.issue({ ...GRANT, expiresAt: new Date(EXPIRES.getTime() + 999) })(ASKED.oid, 10);
    assert.deepEqual(tokens.verify(token, ASKED).expiresAt, EXPIRES);
    assert.throws(() => tokens.verify(token, { ...ASKED, now: EXPIRES }), {
      code: "expired-action-token",
      message: /expired at 2030-01-01T00:00:00\.000Z.*batch request/,
    });
    assert.throws(() => tokens.verify(token, { ...ASKED, now: EXPIRES, oid: oid("b") }), INVALID);
    assert.throws(() => tokens.verify(token, { ...ASKED, now: new Date(Number.NaN) }), {
      code: "expired-action-token",
    });
  });

  it("accepts the tokens of previous secrets, and of no others", () => {
    const token = tokens.issue(GRANT)(ASKED.oid, 10);
    const secret = Buffer.alloc(32, "newer");
    const rotated = new ActionTokens({ secret, previous: [Buffer.alloc(40, "oldest"), SECRET] });
    assert.equal(rotated.verify(token, ASKED).size, 10);
    assert.throws(() => new ActionTokens({ secret }).verify(token, ASKED), INVALID);
    assert.throws(() => tokens.verify(rotated.issue(GRANT)(ASKED.oid, 10), ASKED), INVALID);
  });

  it("refuses secrets that are too short, and grants that no token can say", () => {
    const short = Buffer.alloc(31, "x");
    assert.throws(() => new ActionTokens({ secret: short }), { code: "invalid", message: /31 bytes/ });
    assert.throws(() => new ActionTokens({ secret: SECRET, previous: [short] }), { code: "invalid" });
    assert.throws(() => tokens.issue({ ...GRANT, expiresAt: new Date(Number.NaN) }), { code: "invalid" });
    for (const size of [-1, 1.5, Number.NaN, 2 ** 53]) {
      assert.throws(() => tokens.issue(GRANT)(ASKED.oid, size), { code: "invalid" });
    }
  });
});

describe("BatchHmac", () => {
  it("is HMAC-SHA256, message after message", () => {
    const key = fc.uint8Array({ maxLength: 64 });
    const messages = fc.array(fc.string({ unit: "grapheme-ascii", maxLength: 100 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(key, messages, (bytes, texts) => {
        const hmac = new BatchHmac(bytes, 100);
        for (const text of texts) {
          assert.equal(hmac.sign(text), createHmac("sha256", bytes).update(text).digest("base64url"));
        }
      }),
      { seed: 8 },
    );
  });

  it("refuses what it would have to cut", () => {
    assert.throws(() => new BatchHmac(new Uint8Array(65), 10), RangeError);
    assert.throws(() => new BatchHmac(new Uint8Array(32), 10).sign("x".repeat(11)), RangeError);
  });
});
