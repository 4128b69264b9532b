export {
  configFile,
  headFile,
  infoPacksFile,
  infoRefsFile,
  packedRefsFile,
  sortedRefs,
  type NamedRef,
} from "./dumb-views.ts";
export { isObjectId, OID_BYTES, zeroOid, type ObjectFormat } from "./object-id.ts";
export { IndexCheck, PackCheck, PackError, type IndexSummary, type PackSummary } from "./pack-check.ts";
export { encodePkt, MAX_PKT_PAYLOAD, pktLine, PktLineError, readPkts, type Pkt, type PktMark } from "./pkt-line.ts";
export { isRefName, RefNames } from "./ref-name.ts";
