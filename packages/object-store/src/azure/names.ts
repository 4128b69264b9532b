import { StorageError } from "../errors.ts";
import { isKey, parseKey, type ObjectKey } from "../key.ts";

/** What of the store is not objects: uploads under way. No key of the store is below it. */
const OWN = ".holdall";

/** Which key is which blob: all lie below the prefix, and beside them what is Holdall's own. */
export class BlobNames {
  readonly #before: string;
  /** Uploads in parts, one blob for each. */
  readonly uploads: string;

  constructor(prefix: string | undefined) {
    this.#before = prefix === undefined ? "" : `${prefix}/`;
    this.uploads = `${this.#before}${OWN}/uploads/`;
  }

  /** @throws StorageError `invalid` for a key that is reserved, or too long below the prefix */
  of(key: ObjectKey): string {
    if (isOwn(key)) throw new StorageError("invalid", `keys below ${OWN}/ are reserved in Azure Blob Storage`);
    return parseKey(this.#before + key);
  }

  /** What blobs begin with whose keys begin with `prefix`; undefined when no key does. */
  beginning(prefix: string): string | undefined {
    const beginning = this.#before + prefix;
    return prefix === "" || isKey(beginning) || isKey(`${beginning}x`) ? beginning : undefined;
  }

  /** The key of a blob that was listed; undefined when no key spells it, so that others put it there, or it is ours. */
  keyOf(blob: string): ObjectKey | undefined {
    const key = blob.slice(this.#before.length);
    return isKey(key) && !isOwn(key) ? key : undefined;
  }
}

function isOwn(key: string): boolean {
  return key === OWN || key.startsWith(`${OWN}/`);
}
