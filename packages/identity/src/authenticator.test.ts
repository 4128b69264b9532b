import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { InMemoryAccounts } from "../test/in-memory-accounts.ts";
import { Authenticator } from "./authenticator.ts";
import { IdentityError } from "./errors.ts";
import type { PasswordCheckLimits } from "./password-checks.ts";
import { hashPassword } from "./password.ts";
import { ANONYMOUS } from "./principal.ts";
import { createToken, generateTokenSecret } from "./token-secret.ts";

const ALICE = { kind: "user", name: "alice", admin: false };
const WRONG = { name: "IdentityError", code: "invalid-credentials" };

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
}

function isThrottled(retryAfter: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof IdentityError);
    assert.deepEqual([error.code, error.retryAfter], ["throttled", retryAfter]);
    assert.match(error.message, new RegExp(`again in ${retryAfter} seconds`));
    return true;
  };
}

/** An authenticator whose slow check is instant (the stored hash of `x` is `hash:x`), counted, and can be held up. */
function setUp(limits?: Partial<PasswordCheckLimits>) {
  const accounts = new InMemoryAccounts();
  accounts.setUser({ name: "alice", passwordHash: "hash:right" });
  const clock = { now: Date.now() };
  const checks: { password: string; stored: string }[] = [];
  const gate: { open: Promise<void> } = { open: Promise.resolve() };
  const authenticator = new Authenticator({
    users: accounts.users,
    tokens: accounts.tokens,
    clock: () => clock.now,
    ...(limits === undefined ? {} : { limits }),
    checkPassword: async (password, stored) => {
      checks.push({ password, stored });
      await gate.open;
      return stored === `hash:${password}`;
    },
  });
  const signIn = (name: string, password: string) => authenticator.authenticate(basic(name, password));
  /** Makes checks wait until the function returned is called. */
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.open = promise;
    return resolve;
  };
  return { accounts, authenticator, checks, clock, hold, signIn };
}

describe("Authenticator", () => {
  it("takes a request without credentials for anonymous", async () => {
    assert.equal(await setUp().authenticator.authenticate(undefined), ANONYMOUS);
  });

  it("knows users by their passwords, with the real hash", async () => {
    const accounts = new InMemoryAccounts();
    accounts.setUser({ name: "ada", passwordHash: await hashPassword("pa:ss wörd"), admin: true });
    const authenticator = new Authenticator({ users: accounts.users, tokens: accounts.tokens });
    const ada = { kind: "user", name: "ada", admin: true };
    assert.deepEqual(await authenticator.authenticate(basic("ada", "pa:ss wörd")), ada);
    await assert.rejects(authenticator.authenticate(basic("ada", "pa:ss word")), WRONG);
    await assert.rejects(authenticator.authenticate(basic("bob", "pa:ss wörd")), WRONG);
  });

  it("says the same of a wrong password, an unknown user, a user without password, and a malformed header", async () => {
    const { accounts, authenticator } = setUp();
    accounts.setUser({ name: "robot" });
    const messages = new Set<string>();
    for (const header of [
      basic("alice", "wrong"),
      basic("alice", ""),
      basic("nobody", "right"),
      basic("robot", "right"),
      basic("not a name", "right"),
      basic("anonymous", ""),
      basic("alice", generateTokenSecret()),
      basic("alice", "hld_short"),
      `Bearer ${generateTokenSecret()}`,
      "Bearer right",
      "Basic !",
      "Negotiate abc",
      "",
    ]) {
      await assert.rejects(authenticator.authenticate(header), (error) => {
        assert.ok(error instanceof IdentityError);
        assert.equal(error.code, "invalid-credentials", header);
        messages.add(error.message);
        return true;
      });
    }
    assert.equal(messages.size, 1);
  });

  it("works as hard for an unknown user, or one without password, as for a known one", async () => {
    const { accounts, checks, signIn } = setUp();
    accounts.setUser({ name: "robot" });
    for (const name of ["nobody", "robot"]) await assert.rejects(signIn(name, "guess"), WRONG);
    assert.equal(checks.length, 2);
    for (const { stored } of checks) assert.match(stored, /^\$scrypt\$ln=15,r=8,p=3\$/);
  });

  it("spends nothing on a name that no user can have", async () => {
    const { checks, signIn } = setUp();
    for (const name of ["", "two words", "anonymous", "alice\0", "x".repeat(65)]) {
      await assert.rejects(signIn(name, "right"), WRONG);
    }
    assert.equal(checks.length, 0);
  });

  it("passes on what the database throws, rather than calling the credentials wrong", async () => {
    const broken = new Error("database is locked");
    const find = () => Promise.reject(broken);
    const authenticator = new Authenticator({ users: { find }, tokens: { findByHash: find } });
    await assert.rejects(authenticator.authenticate(basic("alice", "right")), broken);
    await assert.rejects(authenticator.authenticate(`Bearer ${generateTokenSecret()}`), broken);
  });

  describe("with API tokens", () => {
    const request = { user: "alice", right: "read", repositories: ["team/*"] } as const;
    const principal = { ...ALICE, scope: { right: "read", repositories: ["team/*"] } };

    it("accepts one as a bearer token, and as the password of any user name, without a slow check", async () => {
      const { accounts, authenticator, checks, signIn } = setUp();
      const { secret } = await createToken(accounts.tokens, request);
      assert.deepEqual(await authenticator.authenticate(`Bearer ${secret}`), principal);
      for (const name of ["alice", "x-access-token", "", "not a name"]) {
        assert.deepEqual(await signIn(name, secret), principal);
      }
      await assert.rejects(signIn("alice", secret.slice(0, -1)), WRONG);
      assert.equal(checks.length, 0);
    });

    it("lets an admin's token be an admin's, within its scope", async () => {
      const { accounts, authenticator } = setUp();
      accounts.setUser({ name: "root", admin: true });
      const { secret } = await createToken(accounts.tokens, { ...request, user: "root" });
      const expected = { ...principal, name: "root", admin: true };
      assert.deepEqual(await authenticator.authenticate(`Bearer ${secret}`), expected);
    });

    it("refuses it from its expiry on, and once it or its user is gone", async () => {
      const { accounts, authenticator, clock } = setUp();
      const expiresAt = new Date(clock.now + 60_000);
      const limited = `Bearer ${(await createToken(accounts.tokens, { ...request, expiresAt })).secret}`;
      const unlimited = `Bearer ${(await createToken(accounts.tokens, request)).secret}`;
      clock.now = expiresAt.getTime() - 1;
      assert.deepEqual(await authenticator.authenticate(limited), principal);
      clock.now = expiresAt.getTime();
      await assert.rejects(authenticator.authenticate(limited), WRONG);
      assert.deepEqual(await authenticator.authenticate(unlimited), principal);
      accounts.removeUser("alice");
      await assert.rejects(authenticator.authenticate(unlimited), WRONG);
    });
  });

  describe("remembering passwords", () => {
    it("checks a correct password once, however often the client sends it", async () => {
      const { checks, signIn } = setUp();
      for (let i = 0; i < 50; i++) assert.deepEqual(await signIn("alice", "right"), ALICE);
      assert.equal(checks.length, 1);
    });

    it("checks equal credentials that come at once only once, right or wrong", async () => {
      const { checks, signIn } = setUp();
      const right = await Promise.all(Array.from({ length: 100 }, () => signIn("alice", "right")));
      assert.deepEqual(
        right,
        Array.from({ length: 100 }, () => ALICE),
      );
      const wrong = await Promise.allSettled(Array.from({ length: 100 }, () => signIn("alice", "wrong")));
      assert.ok(wrong.every(({ status }) => status === "rejected"));
      assert.equal(checks.length, 2);
    });

    it("forgets it a minute after its last use", async () => {
      const { checks, clock, signIn } = setUp();
      await signIn("alice", "right");
      for (let i = 0; i < 3; i++) {
        clock.now += 59_999;
        await signIn("alice", "right");
      }
      assert.equal(checks.length, 1);
      clock.now += 60_000;
      await signIn("alice", "right");
      assert.equal(checks.length, 2);
    });

    it("forgets the least recently used when there are too many", async () => {
      const { accounts, checks, signIn } = setUp({ remembered: 2 });
      for (const name of ["bob", "carol"]) accounts.setUser({ name, passwordHash: "hash:right" });
      for (const name of ["alice", "bob", "alice", "carol", "alice"]) await signIn(name, "right");
      assert.equal(checks.length, 3);
      await signIn("bob", "right");
      assert.equal(checks.length, 4);
    });

    it("never remembers a wrong one, nor takes one user's password for another's", async () => {
      const { accounts, checks, signIn } = setUp();
      accounts.setUser({ name: "bob", passwordHash: "hash:other" });
      await signIn("alice", "right");
      for (let i = 0; i < 2; i++) await assert.rejects(signIn("bob", "right"), WRONG);
      assert.equal(checks.length, 3);
    });

    it("does not outlive a change of the password, of the user's flags, or of the user", async () => {
      const { accounts, signIn } = setUp();
      await signIn("alice", "right");
      accounts.setUser({ name: "alice", passwordHash: "hash:right", admin: true });
      assert.deepEqual(await signIn("alice", "right"), { ...ALICE, admin: true });
      accounts.setUser({ name: "alice", passwordHash: "hash:new" });
      await assert.rejects(signIn("alice", "right"), WRONG);
      assert.deepEqual(await signIn("alice", "new"), ALICE);
      accounts.removeUser("alice");
      await assert.rejects(signIn("alice", "new"), WRONG);
    });
  });

  describe("when many passwords are checked", () => {
    it("runs a few at once, lets some wait in order, and tells the rest when to come again", async () => {
      const { checks, hold, signIn } = setUp({ concurrent: 2, queued: 3 });
      const release = hold();
      const attempts = Array.from({ length: 5 }, (_, i) => assert.rejects(signIn(`user${i}`, `guess${i}`), WRONG));
      await settled();
      assert.deepEqual(
        checks.map((check) => check.password),
        ["guess0", "guess1"],
      );
      await assert.rejects(signIn("alice", "right"), isThrottled(10));
      release();
      await Promise.all(attempts);
      assert.deepEqual(
        checks.map((check) => check.password),
        ["guess0", "guess1", "guess2", "guess3", "guess4"],
      );
      assert.deepEqual(await signIn("alice", "right"), ALICE);
    });

    it("lets remembered passwords pass a full queue", async () => {
      const { hold, signIn } = setUp({ concurrent: 1, queued: 0 });
      await signIn("alice", "right");
      const release = hold();
      const guess = assert.rejects(signIn("alice", "wrong"), WRONG);
      await settled();
      assert.deepEqual(await signIn("alice", "right"), ALICE);
      release();
      await guess;
    });

    it("goes on after a check that broke, and counts it as nobody's failure", async () => {
      const accounts = new InMemoryAccounts();
      accounts.setUser({ name: "alice", passwordHash: "damaged" });
      const authenticator = new Authenticator({
        users: accounts.users,
        tokens: accounts.tokens,
        limits: { concurrent: 1 },
      });
      const damaged = { name: "IdentityError", code: "invalid" };
      for (let i = 0; i < 20; i++) await assert.rejects(authenticator.authenticate(basic("alice", "right")), damaged);
    });
  });

  describe("after failures", () => {
    for (const name of ["alice", "nobody"]) {
      it(`slows down guesses for one user name, known or not: ${name}`, async () => {
        const { checks, clock, signIn } = setUp();
        for (let i = 0; i < 10; i++) await assert.rejects(signIn(name, `guess${i}`), WRONG);
        await assert.rejects(signIn(name, "guess10"), isThrottled(6));
        clock.now += 5_000;
        await assert.rejects(signIn(name, "guess10"), isThrottled(1));
        assert.equal(checks.length, 10);
        clock.now += 1_000;
        await assert.rejects(signIn(name, "guess10"), WRONG);
        await assert.rejects(signIn(name, "guess11"), isThrottled(6));
        clock.now += 600_000;
        for (let i = 20; i < 30; i++) await assert.rejects(signIn(name, `guess${i}`), WRONG);
        await assert.rejects(signIn(name, "guess30"), isThrottled(6));
      });
    }

    it("counts guesses that come at once", async () => {
      const { checks, signIn } = setUp({ failuresPerMinute: 3 });
      const guesses = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => signIn("alice", `guess${i}`)));
      assert.ok(guesses.every(({ status }) => status === "rejected"));
      assert.equal(checks.length, 3);
    });

    it("lets a client at work go on, and others sign in", async () => {
      const { accounts, signIn } = setUp({ failuresPerMinute: 2 });
      accounts.setUser({ name: "bob", passwordHash: "hash:right" });
      await signIn("alice", "right");
      for (const guess of ["a", "b"]) await assert.rejects(signIn("alice", guess), WRONG);
      await assert.rejects(signIn("alice", "c"), isThrottled(30));
      assert.deepEqual(await signIn("alice", "right"), ALICE);
      assert.deepEqual(await signIn("bob", "right"), { ...ALICE, name: "bob" });
    });

    it("does not count what succeeds", async () => {
      const { clock, signIn } = setUp({ failuresPerMinute: 1, rememberedFor: 1 });
      for (let i = 0; i < 20; i++) {
        await signIn("alice", "right");
        clock.now += 1_000;
      }
    });

    it("does not lock anyone out for longer when the clock is set back", async () => {
      const { clock, signIn } = setUp({ failuresPerMinute: 1 });
      await assert.rejects(signIn("alice", "guess"), WRONG);
      clock.now -= 86_400_000;
      await assert.rejects(signIn("alice", "right"), isThrottled(60));
    });
  });

  it("stops asking a client for credentials that sends the same wrong ones again and again", async () => {
    const { authenticator, clock, signIn } = setUp();
    const FINAL = { name: "IdentityError", code: "refused-credentials" };
    for (let i = 0; i < 3; i++) {
      await assert.rejects(signIn("alice", "wrong"), WRONG);
      await assert.rejects(authenticator.authenticate("Bearer hld_nonsense"), WRONG);
    }
    await assert.rejects(signIn("alice", "wrong"), FINAL);
    await assert.rejects(authenticator.authenticate("Bearer hld_nonsense"), FINAL);
    await assert.rejects(signIn("alice", "another"), WRONG);
    assert.deepEqual(await signIn("alice", "right"), ALICE);
    clock.now += 60_001;
    await assert.rejects(signIn("alice", "wrong"), WRONG);
  });

  it("lets credentials in as soon as they are right, however often they were refused", async () => {
    const { accounts, signIn } = setUp();
    for (let i = 0; i < 5; i++) await assert.rejects(signIn("alice", "later"));
    accounts.setUser({ name: "alice", passwordHash: "hash:later" });
    assert.deepEqual(await signIn("alice", "later"), ALICE);
  });
});
