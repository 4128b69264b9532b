import { StorageError } from "../errors.ts";

/** One generation of an object, as the JSON API describes it. */
export interface GcsObject {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Another for each replacement; a 64-bit number as text. */
  readonly generation: string;
  /** When this generation was made. In whole seconds, because downloads tell no more. */
  readonly createdAt: Date;
  readonly contentType: string | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What to ask for of each object. Not `updated`, which changes with the metadata, where downloads tell `timeCreated`. */
export const FIELDS = "name,size,generation,timeCreated,contentType,metadata";

/** @throws StorageError `unavailable` when it is none, as from a proxy that answers in the store's place */
export function objectOf(resource: unknown): GcsObject {
  const { name, size, generation, timeCreated, contentType, metadata } = recordOf(resource);
  const createdAt = new Date(typeof timeCreated === "string" ? timeCreated : Number.NaN);
  if (typeof name !== "string" || !isNumber(size) || !isNumber(generation) || Number.isNaN(createdAt.getTime())) {
    throw notUnderstood(resource);
  }
  return {
    name,
    size: Number(size),
    generation,
    createdAt: inSeconds(createdAt),
    contentType: typeof contentType === "string" ? contentType : undefined,
    metadata: recordOf(metadata ?? {}),
  };
}

/** @throws StorageError `unavailable` when it is no object */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw notUnderstood(value);
  return Object.fromEntries(Object.entries(value));
}

/** @throws StorageError `unavailable` when the text is no JSON */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw notUnderstood(text);
  }
}

export function inSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

function isNumber(value: unknown): value is string {
  return typeof value === "string" && /^\d+$/.test(value);
}

/** Uncertain: whatever was asked for may have been done before the answer was lost on its way. */
function notUnderstood(answer: unknown): StorageError {
  const shown = (JSON.stringify(answer) ?? "nothing").slice(0, 200);
  return new StorageError("unavailable", `the answer is not Cloud Storage's: ${shown}; does a proxy interfere?`, {
    retryable: false,
    uncertain: true,
  });
}
