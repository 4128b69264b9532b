import { ValueError } from "./errors.ts";

/** Largest first, so that formatting finds the shortest text. Milliseconds. */
const DURATION_UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
/** Largest first. Bytes. */
const SIZE_UNITS = { TiB: 2 ** 40, GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10, B: 1 } as const;

export const DURATION_PATTERN: string = "^[0-9]+(ms|s|m|h|d)$";
export const DURATION_EXPECTED: string = "a duration such as 30s, 5m, 12h or 90d";
export const SIZE_PATTERN: string = "^[0-9]+(B|KiB|MiB|GiB|TiB)?$";
export const SIZE_EXPECTED: string = "a size such as 64KiB, 4MiB or a number of bytes";

/** A hundred years: beyond it, sums with a date leave what a Date can hold. */
const LONGEST = 36_500 * DURATION_UNITS.d;

/**
 * Reads a duration: a whole number and one unit of `ms`, `s`, `m`, `h`, `d`.
 * @returns milliseconds
 * @throws ValueError for anything else and for more than a hundred years
 */
export function parseDuration(text: string): number {
  const [, digits, unit] = /^([0-9]+)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new ValueError(`must be ${DURATION_EXPECTED}, not ${JSON.stringify(text)}`);
  }
  const milliseconds = Number(digits) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
  if (milliseconds > LONGEST) throw new ValueError(`must be at most ${formatDuration(LONGEST)}, not ${text}`);
  return milliseconds;
}

/** The shortest text that {@link parseDuration} reads as these milliseconds, a whole number from 0. */
export function formatDuration(milliseconds: number): string {
  return format(milliseconds, DURATION_UNITS, "s");
}

/**
 * Reads a size: bytes, or a whole number and one unit of `B`, `KiB`, `MiB`, `GiB`, `TiB`.
 * @returns bytes
 * @throws ValueError for anything else and for what a number cannot hold exactly
 */
export function parseSize(text: string): number {
  const [, digits, unit = "B"] = /^([0-9]+)(B|KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
  if (digits === undefined) throw new ValueError(`must be ${SIZE_EXPECTED}, not ${JSON.stringify(text)}`);
  const bytes = Number(digits) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
  if (!Number.isSafeInteger(bytes)) throw new ValueError(`must be at most 8191TiB, not ${text}`);
  return bytes;
}

/** The shortest text that {@link parseSize} reads as these bytes, a whole number from 0. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS, "B");
}

function format(amount: number, units: Readonly<Record<string, number>>, zero: string): string {
  if (amount === 0) return `0${zero}`;
  for (const [unit, factor] of Object.entries(units)) {
    if (amount % factor === 0) return `${amount / factor}${unit}`;
  }
  throw new RangeError(`${amount} is not a whole number`);
}
