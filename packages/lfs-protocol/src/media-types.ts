/** The type of every JSON message of the LFS API. Clients may add parameters and spaces; compare only what is before `;`. */
export const LFS_MEDIA_TYPE = "application/vnd.git-lfs+json";

/** What objects are sent as, in both directions. Pinned in upload actions, because clients guess a type otherwise. */
export const OBJECT_MEDIA_TYPE = "application/octet-stream";
