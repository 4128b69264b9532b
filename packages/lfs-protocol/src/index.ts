export { contentDisposition, readDownloadName, type DownloadName } from "./download-name.ts";
export { LAYOUTS, objectPath, type Layout } from "./layout.ts";
export { LFS_MEDIA_TYPE, OBJECT_MEDIA_TYPE } from "./media-types.ts";
export * from "./messages.ts";
export { EMPTY_OID, parseOid, type Oid } from "./oid.ts";
export { MAX_POINTER_BYTES, formatPointer, parsePointer, type Pointer, type PointerExtension } from "./pointer.ts";
export { MAX_REPOSITORY_NAME_BYTES, parseRepositoryName, type RepositoryName } from "./repository-name.ts";
