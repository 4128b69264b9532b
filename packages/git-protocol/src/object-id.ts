/** By which hash a repository names its objects (git: Documentation/technical/hash-function-transition). */
export type ObjectFormat = "sha1" | "sha256";

/** The bytes of an object's name. */
export const OID_BYTES: Readonly<Record<ObjectFormat, number>> = { sha1: 20, sha256: 32 };

const PATTERNS: Readonly<Record<ObjectFormat, RegExp>> = { sha1: /^[0-9a-f]{40}$/, sha256: /^[0-9a-f]{64}$/ };

/** Whether the text is the full name of an object, in lower-case hexadecimal digits. */
export function isObjectId(text: string, format: ObjectFormat): boolean {
  return PATTERNS[format].test(text);
}

/** What git writes for an object that is not there: a ref before it is made, or after it is deleted. */
export function zeroOid(format: ObjectFormat): string {
  return "0".repeat(2 * OID_BYTES[format]);
}
