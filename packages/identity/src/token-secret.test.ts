import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { InMemoryAccounts } from "../test/in-memory-accounts.ts";
import { createToken, generateTokenSecret, hashTokenSecret, isTokenSecret } from "./token-secret.ts";

describe("token secrets", () => {
  it("have one length, one alphabet, one prefix, and never repeat", () => {
    const secrets = new Set(Array.from({ length: 500 }, generateTokenSecret));
    assert.equal(secrets.size, 500);
    for (const secret of secrets) {
      assert.match(secret, /^hld_[0-9A-Za-z]{49}$/);
      assert.equal(isTokenSecret(secret), true);
    }
  });

  it("are told from any that was mistyped in one place, cut, or lengthened", () => {
    const secret = generateTokenSecret();
    const character = fc.oneof(
      fc.constantFrom("é", ""),
      fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.nat(secret.length - 1), character, (at, other) => {
        const typed = secret.slice(0, at) + other + secret.slice(at + 1);
        assert.equal(isTokenSecret(typed), typed === secret);
      }),
      { seed: 1, numRuns: 2000 },
    );
    for (const text of ["", "hld_", secret.slice(0, -1), `${secret}0`, ` ${secret}`, `${secret}\n`]) {
      assert.equal(isTokenSecret(text), false);
    }
  });

  it("are stored as their SHA-256", () => {
    const secret = generateTokenSecret();
    assert.deepEqual(Buffer.from(hashTokenSecret(secret)), createHash("sha256").update(secret).digest());
  });
});

describe("createToken", () => {
  const accounts = new InMemoryAccounts();
  accounts.setUser({ name: "alice" });

  it("keeps the hash and returns the secret beside the token", async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    const request = {
      user: "alice",
      right: "write",
      repositories: ["team/**", "app.git"],
      note: "CI",
      expiresAt,
    } as const;
    const { secret, token } = await createToken(accounts.tokens, request);
    assert.equal(await accounts.tokens.findByHash(hashTokenSecret(secret)), token);
    assert.match(token.id, /^[0-9A-Za-z]{11}$/);
    assert.deepEqual(token.repositories, ["team/**", "app"]);
    assert.deepEqual([token.right, token.note, token.expiresAt], ["write", "CI", expiresAt]);
    assert.ok(!JSON.stringify(token).includes(secret));
  });

  it("names each token differently", async () => {
    const request = { user: "alice", right: "read", repositories: ["**"] } as const;
    const made = await Promise.all([createToken(accounts.tokens, request), createToken(accounts.tokens, request)]);
    assert.notEqual(made[0].token.id, made[1].token.id);
  });

  it("refuses a token that could do nothing", async () => {
    const request = { user: "alice", right: "read", repositories: ["**"] } as const;
    const refused = (o: object, message: RegExp): Promise<void> =>
      assert.rejects(createToken(accounts.tokens, { ...request, ...o }), { code: "invalid", message });
    await refused({ repositories: [] }, /at least one/);
    await refused({ repositories: ["team//app"] }, /team\/\/app/);
    await refused({ expiresAt: new Date(Date.now() - 1000) }, /not in the future/);
    await refused({ expiresAt: new Date(Number.NaN) }, /not in the future/);
  });
});
