import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { describe, it } from "node:test";
import { checkPassword, decoyPasswordHash, hashPassword, MAX_PASSWORD_BYTES } from "./password.ts";

/** A stored hash of another cost, made without the code under test. */
function stored(password: string, o: { ln: number; r: number; p: number }): string {
  const salt = Buffer.alloc(16, 7);
  const hash = scryptSync(password, salt, 32, { N: 2 ** o.ln, r: o.r, p: o.p });
  const text = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");
  return `$scrypt$ln=${o.ln},r=${o.r},p=${o.p}$${text(salt)}$${text(hash)}`;
}

describe("hashPassword", () => {
  it("makes a PHC-like string that only the same password matches", async () => {
    const hash = await hashPassword("correct horse");
    assert.match(hash, /^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.equal(await checkPassword("correct horse", hash), true);
    assert.equal(await checkPassword("correct horsf", hash), false);
  });

  it("salts: the same password twice gives two hashes", async () => {
    const [one, two] = await Promise.all([hashPassword("same"), hashPassword("same")]);
    assert.notEqual(one, two);
  });

  it("takes exactly the greatest length in bytes", async () => {
    const longest = "é".repeat(MAX_PASSWORD_BYTES / 2);
    assert.equal(await checkPassword(longest, await hashPassword(longest)), true);
    await assert.rejects(hashPassword(`${longest}x`), { code: "invalid", message: /longer than 1024 bytes/ });
  });

  it("refuses what no client could send or would be taken for something else", async () => {
    await assert.rejects(hashPassword(""), { code: "invalid", message: /empty/ });
    await assert.rejects(hashPassword("secret\n"), { code: "invalid", message: /control character/ });
    await assert.rejects(hashPassword("hld_mine"), { code: "invalid", message: /"hld_"/ });
  });
});

describe("checkPassword", () => {
  it("reads the cost from the stored string", async () => {
    const old = stored("pass", { ln: 10, r: 4, p: 2 });
    assert.equal(await checkPassword("pass", old), true);
    assert.equal(await checkPassword("Pass", old), false);
  });

  it("does not mind how the keyboard composes a letter", async () => {
    assert.equal(await checkPassword("caf\u0065\u0301", stored("caf\u00e9", { ln: 10, r: 1, p: 1 })), true);
  });

  it("finds an empty or endless password wrong", async () => {
    const hash = stored("pass", { ln: 10, r: 1, p: 1 });
    assert.equal(await checkPassword("", hash), false);
    assert.equal(await checkPassword("x".repeat(1_000_000), hash), false);
  });

  it("takes a hash at the memory limit", async () => {
    // Node's own default would refuse it.
    assert.equal(await checkPassword("x", decoyPasswordHash().replace("ln=15,r=8,p=3", "ln=16,r=8,p=1")), false);
  });

  const salt = "A".repeat(22);
  const hash = "A".repeat(43);
  for (const bad of [
    "",
    "plain text",
    `$scrypt$ln=15,r=8$${salt}$${hash}`,
    `$argon2id$ln=15,r=8,p=3$${salt}$${hash}`,
    `$scrypt$ln=17,r=8,p=1$${salt}$${hash}`,
    `$scrypt$ln=99,r=8,p=1$${salt}$${hash}`,
    `$scrypt$ln=9,r=8,p=1$${salt}$${hash}`,
    `$scrypt$ln=15,r=99,p=1$${salt}$${hash}`,
    `$scrypt$ln=15,r=0,p=1$${salt}$${hash}`,
    `$scrypt$ln=15,r=8,p=17$${salt}$${hash}`,
    `$scrypt$ln=15,r=8,p=0$${salt}$${hash}`,
    `$scrypt$ln=15,r=8,p=3$AAAA$${hash}`,
    `$scrypt$ln=15,r=8,p=3$${salt}$AAAA`,
    `$scrypt$ln=15,r=8,p=3$${salt}$${hash}\n`,
  ]) {
    it(`refuses a damaged or excessive hash, without showing it: ${JSON.stringify(bad)}`, async () => {
      await assert.rejects(checkPassword("x", bad), (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid");
        assert.ok(bad === "" || !error.message.includes(bad));
        return true;
      });
    });
  }
});

describe("decoyPasswordHash", () => {
  it("costs what a new hash costs and matches nothing", async () => {
    const cost = (text: string): string | undefined => text.split("$")[2];
    assert.equal(cost(decoyPasswordHash()), cost(await hashPassword("x")));
    assert.equal(await checkPassword("x", decoyPasswordHash()), false);
    assert.notEqual(decoyPasswordHash(), decoyPasswordHash());
  });
});
