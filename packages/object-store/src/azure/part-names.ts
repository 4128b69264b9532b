import { randomBytes } from "node:crypto";
import type { UploadedPart } from "../port.ts";

/** The number, when it was begun, and something that no other part has. All of one length, as Azure wants it. */
const FORM = /^(?<number>\d{5})-[0-9a-f]{12}-[0-9a-f]{8}$/;

let latest = 0;

/**
 * A name for a part of an upload. A part that comes again has another name, so that whoever names a part means these
 * bytes; of several under one number, the last in the order of names is the latest.
 */
export function newPartName(number: number): string {
  latest = Math.max(Date.now(), latest + 1);
  const time = latest.toString(16).padStart(12, "0");
  return `${String(number).padStart(5, "0")}-${time}-${randomBytes(4).toString("hex")}`;
}

/** How Azure wants the name of a block. */
export function blockOf(partName: string): string {
  return Buffer.from(partName).toString("base64");
}

interface Block {
  readonly name: string;
  readonly size: number;
}

/** The parts that blocks are; those of others are left out. */
export function partsOf(blocks: readonly Block[]): UploadedPart[] {
  const parts: UploadedPart[] = [];
  for (const { name, size } of blocks) {
    const etag = Buffer.from(name, "base64").toString();
    const number = FORM.exec(etag)?.groups?.["number"];
    if (number !== undefined) parts.push({ number: Number(number), size, etag });
  }
  return parts;
}

/** Of each number the latest, in their order. */
export function latestParts(parts: readonly UploadedPart[]): UploadedPart[] {
  const latest = new Map<number, UploadedPart>();
  for (const part of parts.toSorted(byName)) latest.set(part.number, part);
  return [...latest.values()];
}

/** Names begin with the number. */
function byName(a: UploadedPart, b: UploadedPart): number {
  return a.etag < b.etag ? -1 : 1;
}
