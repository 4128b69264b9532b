import { errnoOf, StorageError, type StorageErrorCode } from "@holdall/object-store/open";

/** An object could not be transferred for a reason that is not the store's. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * For a copy in the store that is not the object.
 * @param o.replaced whether an upload puts another copy in its place, which it does where it can see the damage
 */
export function damagedThere(
  key: string,
  how: string,
  { replaced = true, cause }: { readonly replaced?: boolean; readonly cause?: unknown } = {},
): TransferError {
  const push = "push the object again from a clone that has it (git lfs push --all)";
  return new TransferError(
    "corrupt",
    `the copy of the object in the store is damaged: ${key} ${how}; ${replaced ? push : `remove it from the store, then ${push}`}`,
    { cause },
  );
}

/** What git-lfs shows in brackets: the status that a server would have answered with. */
const STATUS: Readonly<Record<StorageErrorCode, number>> = {
  "not-found": 404,
  denied: 403,
  conflict: 409,
  throttled: 429,
  corrupt: 422,
  unsupported: 501,
  invalid: 400,
  unavailable: 503,
  full: 507,
};

/** What git-lfs is told, and shows to whoever ran it. */
export function failureOf(error: unknown): { readonly code: number; readonly message: string } {
  if (error instanceof StorageError || error instanceof TransferError) {
    return { code: STATUS[error.code], message: error.message };
  }
  const message = error instanceof Error ? error.message : String(error);
  return isFull(error)
    ? { code: STATUS.full, message: `there is no room for the object on this machine: free or add space (${message})` }
    : { code: 500, message };
}

/** Whether it was this machine's disk that had no room. */
export function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(errnoOf(error) ?? "");
}
