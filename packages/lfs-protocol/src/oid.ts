declare const oidBrand: unique symbol;

/**
 * The name of an object: the SHA-256 of its bytes as 64 lower-case hexadecimal digits. Made only by {@link parseOid},
 * so a value of this type is safe to put into a path, a key or a query.
 */
export type Oid = string & { readonly [oidBrand]: true };

const OID = /^[0-9a-f]{64}$/;

/** Returns the oid when `text` is one, otherwise undefined. Upper case is not an oid: clients compare bytes. */
export function parseOid(text: unknown): Oid | undefined {
  return typeof text === "string" && OID.test(text) ? (text as Oid) : undefined;
}

/** The oid of the empty object, which clients never transfer: an empty file is its own pointer. */
export const EMPTY_OID: Oid = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" as Oid;
