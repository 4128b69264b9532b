import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from "node:crypto";
import { IdentityError } from "./errors.ts";
import { TOKEN_PREFIX } from "./token-secret.ts";

export const MAX_PASSWORD_BYTES = 1024;

interface Cost {
  /** log2 of N, the number of blocks. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

// OWASP's scrypt setting for 32 MiB (Password Storage Cheat Sheet): as strong as N = 2^17 with p = 1, in a quarter of
// the memory, which is what a server pays for each check that runs at the same time.
const COST: Cost = { ln: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

// A row of the database must not be able to take the server's memory or minutes of its time.
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const MAX_P = 16;

/**
 * Hashes a password for storing: scrypt (RFC 7914) as `$scrypt$ln=…,r=…,p=…$salt$hash`, in the manner of the PHC string
 * format, base64 without padding. Runs on the thread pool, a few tenths of a second.
 * @throws IdentityError `invalid` for a password that is empty, over {@link MAX_PASSWORD_BYTES} bytes of UTF-8, holds a
 * control character, or begins like an API token
 */
export async function hashPassword(password: string): Promise<string> {
  const bytes = passwordBytes(password);
  if (bytes.length === 0) throw new IdentityError("invalid", "The password is empty. Choose one of at least 1 byte.");
  if (bytes.length > MAX_PASSWORD_BYTES) {
    throw new IdentityError(
      "invalid",
      `The password is longer than ${MAX_PASSWORD_BYTES} bytes. Choose a shorter one.`,
    );
  }
  // RFC 7617 section 2 bars them, and git's credential helpers cannot carry a line break.
  if (/\p{Cc}/u.test(password)) {
    throw new IdentityError(
      "invalid",
      "The password holds a control character, such as a line break or a tab, which clients cannot send. Leave it out.",
    );
  }
  if (password.startsWith(TOKEN_PREFIX)) {
    throw new IdentityError("invalid", `The password begins with "${TOKEN_PREFIX}", as API tokens do. Choose another.`);
  }
  const salt = randomBytes(SALT_BYTES);
  return format(COST, salt, await derive(bytes, salt, HASH_BYTES, COST));
}

/**
 * Whether the password is the one that `stored` was made from, compared in constant time. A password that could not have
 * been hashed, being empty or too long, is wrong without further work.
 * @throws IdentityError `invalid` when `stored` is not what {@link hashPassword} returns, or costs more than is allowed
 */
export async function checkPassword(password: string, stored: string): Promise<boolean> {
  const { cost, salt, hash } = parse(stored);
  const bytes = passwordBytes(password);
  if (bytes.length === 0 || bytes.length > MAX_PASSWORD_BYTES) return false;
  return timingSafeEqual(await derive(bytes, salt, hash.length, cost), hash);
}

/** A hash that no password is known for. Checking against it takes as long as against one that was just made. */
export function decoyPasswordHash(): string {
  return format(COST, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
}

/** One keyboard sends é as one code point, another as two (RFC 8265 section 4.2.2: NFC). */
function passwordBytes(password: string): Buffer {
  return Buffer.from(password.normalize("NFC"), "utf8");
}

function memoryBytes({ ln, r, p }: Cost): number {
  return 128 * r * (2 ** ln + p + 2);
}

function derive(password: Buffer, salt: Buffer, length: number, cost: Cost): Promise<Buffer> {
  const options: ScryptOptions = { N: 2 ** cost.ln, r: cost.r, p: cost.p, maxmem: memoryBytes(cost) };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

function format({ ln, r, p }: Cost, salt: Buffer, hash: Buffer): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}

// Salts of 16 to 64 bytes, hashes of 32 to 64.
const STORED = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43,86})$/;

function parse(stored: string): { cost: Cost; salt: Buffer; hash: Buffer } {
  const [, ln, r, p, salt, hash] = STORED.exec(stored) ?? [];
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const sane =
    cost.ln >= 10 && cost.r >= 1 && cost.p >= 1 && cost.p <= MAX_P && 128 * cost.r * 2 ** cost.ln <= MAX_MEMORY_BYTES;
  if (!sane || salt === undefined || hash === undefined) {
    throw new IdentityError(
      "invalid",
      "A stored password hash is damaged, or its cost is beyond what this version allows. Set that user's password again.",
    );
  }
  return { cost, salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
}
