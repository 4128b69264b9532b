import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRepositoryName, type RepositoryName } from "@holdall/lfs-protocol";
import type { Right } from "@holdall/metadata";
import { Access, allowsAnonymousWrite, defaultRules, includesRight, parseWho, type AccessRule } from "./access.ts";
import { parsePattern } from "./patterns.ts";
import { ANONYMOUS, type Principal } from "./principal.ts";

function repository(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  assert.ok(name !== undefined);
  return name;
}

function rule(who: string, pattern: string, right: Right): AccessRule {
  return { who: parseWho(who), repositories: parsePattern(pattern), right };
}

const APP = repository("team/app");
const OTHER = repository("other/app");
const alice: Principal = { kind: "user", name: "alice", admin: false };
const bob: Principal = { kind: "user", name: "bob", admin: false };
const root: Principal = { kind: "user", name: "root", admin: true };

describe("Access", () => {
  it("grants nothing without a rule, except to admins", () => {
    const access = new Access([]);
    assert.equal(access.right(ANONYMOUS, APP), undefined);
    assert.equal(access.right(alice, APP), undefined);
    assert.equal(access.right(root, APP), "admin");
  });

  it("gives each the rules that are about them, where their patterns match", () => {
    const access = new Access([
      rule("anyone", "team/*", "read"),
      rule("users", "team/*", "write"),
      rule("user:alice", "**", "admin"),
    ]);
    assert.deepEqual([access.right(ANONYMOUS, APP), access.right(ANONYMOUS, OTHER)], ["read", undefined]);
    assert.deepEqual([access.right(bob, APP), access.right(bob, OTHER)], ["write", undefined]);
    assert.deepEqual([access.right(alice, APP), access.right(alice, OTHER)], ["admin", "admin"]);
  });

  it("adds rights up, whatever the order of the rules", () => {
    const rules = [rule("user:alice", "**", "write"), rule("users", "team/**", "read"), rule("anyone", "**", "read")];
    assert.equal(new Access(rules).right(alice, APP), "write");
    assert.equal(new Access(rules.toReversed()).right(alice, APP), "write");
  });

  it("does not take the anonymous principal for a user, whatever its name and flags", () => {
    const access = new Access([rule("users", "**", "read"), rule("user:alice", "**", "admin")]);
    assert.equal(access.right({ kind: "anonymous", name: "alice", admin: true }, APP), undefined);
  });

  describe("with a token's scope", () => {
    const access = new Access([rule("user:alice", "**", "write")]);
    const scoped = (principal: Principal, right: Right, ...repositories: string[]): Principal => ({
      ...principal,
      scope: { right, repositories },
    });

    it("grants the lesser of the scope's right and the user's", () => {
      assert.equal(access.right(scoped(alice, "read", "**"), APP), "read");
      assert.equal(access.right(scoped(alice, "write", "**"), APP), "write");
      assert.equal(access.right(scoped(alice, "admin", "**"), APP), "write");
      assert.equal(access.right(scoped(bob, "admin", "**"), APP), undefined);
    });

    it("grants nothing outside the scope's repositories", () => {
      const principal = scoped(alice, "write", "x", "team/*");
      assert.deepEqual([access.right(principal, APP), access.right(principal, OTHER)], ["write", undefined]);
    });

    it("holds for admins too", () => {
      const principal = scoped(root, "read", "team/**");
      assert.deepEqual([access.right(principal, APP), access.right(principal, OTHER)], ["read", undefined]);
    });

    it("grants nothing by a damaged pattern", () => {
      assert.throws(() => access.right(scoped(root, "admin", "team**"), APP), { code: "invalid" });
    });
  });
});

describe("defaultRules", () => {
  it("let anyone write on loopback", () => {
    const access = new Access(defaultRules({ loopback: true }));
    assert.equal(access.right(ANONYMOUS, APP), "write");
    assert.equal(access.right(alice, APP), "write");
  });

  it("let only users write elsewhere", () => {
    const access = new Access(defaultRules({ loopback: false }));
    assert.equal(access.right(ANONYMOUS, APP), undefined);
    assert.equal(access.right(alice, APP), "write");
  });
});

describe("allowsAnonymousWrite", () => {
  it("is about rules for anyone that grant more than reading", () => {
    assert.equal(allowsAnonymousWrite(defaultRules({ loopback: true })), true);
    assert.equal(allowsAnonymousWrite([rule("users", "**", "write"), rule("anyone", "public/x", "admin")]), true);
    assert.equal(allowsAnonymousWrite(defaultRules({ loopback: false })), false);
    assert.equal(allowsAnonymousWrite([rule("anyone", "**", "read"), rule("user:alice", "**", "admin")]), false);
    assert.equal(allowsAnonymousWrite([]), false);
  });
});

describe("includesRight", () => {
  it("orders admin over write over read over nothing", () => {
    const rights: Right[] = ["read", "write", "admin"];
    for (const [h, held] of rights.entries()) {
      for (const [n, needed] of rights.entries()) assert.equal(includesRight(held, needed), h >= n);
    }
    for (const needed of rights) assert.equal(includesRight(undefined, needed), false);
  });
});

describe("parseWho", () => {
  it("reads the three forms", () => {
    assert.deepEqual(parseWho("anyone"), { kind: "anyone" });
    assert.deepEqual(parseWho("users"), { kind: "user" });
    assert.deepEqual(parseWho("user:alice@example.com"), { kind: "named", name: "alice@example.com" });
  });

  it("refuses anything else and names the forms", () => {
    for (const text of ["", "Anyone", "user", "alice", "group:x", " users"]) {
      assert.throws(() => parseWho(text), { code: "invalid", message: /"anyone", "users" .* or "user:NAME"/ });
    }
    assert.throws(() => parseWho("user:"), { code: "invalid", message: /is not a user name/ });
    assert.throws(() => parseWho("user:anonymous"), { code: "invalid", message: /reserved/ });
  });
});
