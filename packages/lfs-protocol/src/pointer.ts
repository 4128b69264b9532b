import { EMPTY_OID, parseOid, type Oid } from "./oid.ts";

/** What stands in Git for a file whose bytes are kept by LFS (git-lfs: docs/spec.md). */
export interface Pointer {
  readonly oid: Oid;
  /** Bytes of the object. */
  readonly size: number;
  /** Filters the bytes went through before they were stored, in ascending priority. */
  readonly extensions: readonly PointerExtension[];
  /** Whether this is the one encoding that writers produce, byte for byte. */
  readonly canonical: boolean;
}

export interface PointerExtension {
  readonly name: string;
  /** 0 to 9, unique in a pointer. */
  readonly priority: number;
  /** The oid of what went into the extension. */
  readonly oid: Oid;
}

/** A blob of this many bytes or more is never a pointer. */
export const MAX_POINTER_BYTES = 1024;

const VERSION = "https://git-lfs.github.com/spec/v1";
const OLD_VERSIONS: readonly string[] = ["https://hawser.github.com/spec/v1", "http://git-media.io/v/2"];

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a pointer file, or returns undefined when the bytes are something else. Accepts what git-lfs itself accepts:
 * earlier version lines, CRLF, blank lines, a missing last newline. An empty file is the pointer to the empty object.
 */
export function parsePointer(bytes: Uint8Array): Pointer | undefined {
  if (bytes.length >= MAX_POINTER_BYTES) return undefined;
  if (bytes.length === 0) return { oid: EMPTY_OID, size: 0, extensions: [], canonical: true };
  const text = decode(bytes);
  const fields = text === undefined ? undefined : parseFields(text);
  if (fields === undefined) return undefined;

  const [version, ...rest] = fields;
  const [oidField, sizeField] = rest.splice(-2);
  if (version?.key !== "version" || !(version.value === VERSION || OLD_VERSIONS.includes(version.value)))
    return undefined;
  if (oidField?.key !== "oid" || sizeField?.key !== "size") return undefined;
  const oid = parseDigest(oidField.value);
  const size = parseSize(sizeField.value);
  const extensions = parseExtensions(rest);
  if (oid === undefined || size === undefined || extensions === undefined) return undefined;

  return { oid, size, extensions, canonical: text === formatPointer({ oid, size, extensions }) };
}

/** Writes the canonical pointer file; that of an object without bytes is the empty file. */
export function formatPointer(pointer: Omit<Pointer, "canonical">): string {
  if (pointer.size === 0) return "";
  const extensions = pointer.extensions.map(({ name, priority, oid }) => `ext-${priority}-${name} sha256:${oid}\n`);
  return `version ${VERSION}\n${extensions.join("")}oid sha256:${pointer.oid}\nsize ${pointer.size}\n`;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

interface Field {
  readonly key: string;
  readonly value: string;
}

function parseFields(text: string): Field[] | undefined {
  const fields: Field[] = [];
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    if (line === "") continue;
    const space = line.indexOf(" ");
    if (space < 0) return undefined;
    fields.push({ key: line.slice(0, space), value: line.slice(space + 1) });
  }
  return fields;
}

function parseExtensions(fields: readonly Field[]): PointerExtension[] | undefined {
  const extensions: PointerExtension[] = [];
  for (const { key, value } of fields) {
    const match = /^ext-([0-9])-(\w+)$/.exec(key);
    const oid = parseDigest(value);
    if (match?.[1] === undefined || match[2] === undefined || oid === undefined) return undefined;
    extensions.push({ name: match[2], priority: Number(match[1]), oid });
  }
  extensions.sort((a, b) => a.priority - b.priority);
  const priorities = new Set(extensions.map(({ priority }) => priority));
  return priorities.size === extensions.length ? extensions : undefined;
}

function parseDigest(value: string): Oid | undefined {
  return value.startsWith("sha256:") ? parseOid(value.slice("sha256:".length)) : undefined;
}

/** Git LFS keeps sizes in 64 bits; beyond 2^53 a number would no longer be exact, and no object is that large. */
function parseSize(value: string): number | undefined {
  const size = /^[0-9]+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(size) ? size : undefined;
}
