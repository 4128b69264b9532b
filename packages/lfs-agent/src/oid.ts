import type { Oid } from "@holdall/lfs-protocol";

export type { Oid } from "@holdall/lfs-protocol";

const OID = /^[0-9a-f]{64}$/;

/**
 * As `parseOid` of lfs-protocol, which a test holds it to. With that come the schemas of all messages, whose library takes
 * longer to load than everything else here, in each of the processes that git-lfs starts.
 */
export function isOid(text: unknown): text is Oid {
  return typeof text === "string" && OID.test(text);
}
