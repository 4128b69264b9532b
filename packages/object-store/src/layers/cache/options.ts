export interface CacheOptions {
  /** The folder, made if need be. Nothing else may write there. */
  readonly path: string;
  /** How much all of it may take, in bytes. */
  readonly size: number;
  /** How many processes share the folder; each keeps an equal part of it. */
  readonly processes?: number;
  /** Names the store, so that the entries of another one are never taken for its own. */
  readonly store: string;
  /** Hears what is wrong with the disk. Reads go on without the cache meanwhile. */
  readonly onFault?: (error: unknown) => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
}

/** What the cache has done since it was made. Ranges count as what they are, not as the whole object. */
export interface CacheStats {
  /** Reads that were answered from an entry. */
  readonly hits: number;
  /** Reads that were answered by what the store was being asked already. */
  readonly joined: number;
  /** Reads for which the store was asked for an object, to keep it. */
  readonly misses: number;
  /** Reads that went to the store, with nothing kept: of ranges, of what is too large, and while the disk fails. */
  readonly passed: number;
  /** What hits and joined reads asked for. */
  readonly bytes: number;
  /** Entries that made room for others. */
  readonly evicted: number;
  /** Entries that were found damaged, and reads that the cache could not finish: the store answered in their place. */
  readonly healed: number;
  /** How many entries there are in the share of this process, and how many bytes they take. */
  readonly entries: number;
  readonly used: number;
}
