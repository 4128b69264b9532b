export { EMPTY_OID, parseOid, type Oid } from "./oid.ts";
export { parseRepositoryName, MAX_REPOSITORY_NAME_BYTES, type RepositoryName } from "./repository-name.ts";
