import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Right, Token, Tokens } from "@holdall/metadata";
import { IdentityError } from "./errors.ts";
import { parsePattern } from "./patterns.ts";

/** What every API token begins with, so that people and secret scanners know one when they see it. */
export const TOKEN_PREFIX = "hld_";

// 32 random bytes are 43 base 62 digits, a CRC-32 is 6. No digit breaks a word, so a double click selects all.
const SECRET = /^hld_[0-9A-Za-z]{49}$/;
const RANDOM_BYTES = 32;
const RANDOM_DIGITS = 43;
const CHECKSUM_DIGITS = 6;
const ID_BYTES = 8;
const ID_DIGITS = 11;

export interface TokenRequest {
  /** The name of an existing user. */
  readonly user: string;
  readonly right: Right;
  /** Repository patterns, at least one; see {@link parsePattern}. */
  readonly repositories: readonly string[];
  readonly note?: string;
  /** Absent: never. */
  readonly expiresAt?: Date;
}

/**
 * Makes an API token and keeps its hash. The secret is in the answer and nowhere else: show it once.
 * @throws IdentityError `invalid` for a bad pattern, no pattern, or an expiry that is not in the future
 * @throws MetadataError `not-found` for an unknown user
 */
export async function createToken(
  tokens: Pick<Tokens, "add">,
  request: TokenRequest,
): Promise<{ readonly secret: string; readonly token: Token }> {
  const repositories = request.repositories.map((pattern) => parsePattern(pattern).text);
  if (repositories.length === 0) {
    throw new IdentityError("invalid", 'A token needs at least one repository pattern; "**" stands for all.');
  }
  const { expiresAt } = request;
  if (expiresAt !== undefined && !(expiresAt.getTime() > Date.now())) {
    throw new IdentityError("invalid", "The token's expiry is not in the future. Choose a later time, or none.");
  }
  const secret = generateTokenSecret();
  const id = base62(randomBytes(ID_BYTES), ID_DIGITS);
  return { secret, token: await tokens.add({ ...request, repositories, id, hash: hashTokenSecret(secret) }) };
}

/** A new secret: {@link TOKEN_PREFIX}, 256 random bits, and a checksum of all before it; 53 characters. */
export function generateTokenSecret(): string {
  const body = TOKEN_PREFIX + base62(randomBytes(RANDOM_BYTES), RANDOM_DIGITS);
  return body + checksum(body);
}

/** Whether `text` has a token's form and a checksum that fits, which no single typing error leaves intact. */
export function isTokenSecret(text: string): boolean {
  return SECRET.test(text) && checksum(text.slice(0, -CHECKSUM_DIGITS)) === text.slice(-CHECKSUM_DIGITS);
}

/** The SHA-256 that stands for the secret in the database. 256 random bits need no salt and no slow hash. */
export function hashTokenSecret(secret: string): Uint8Array {
  return hash("sha256", secret, "buffer");
}

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return base62(bytes, CHECKSUM_DIGITS);
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function base62(bytes: Buffer, width: number): string {
  let value = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  for (; value > 0n; value /= 62n) text = DIGITS.charAt(Number(value % 62n)) + text;
  return text.padStart(width, "0");
}
