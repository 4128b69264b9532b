import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { CHECKOUT } from "./holdall.ts";
import type { Policy } from "./s3-enforcers.ts";

/** The policies of a page of the documentation, by the names that stand before them. */
export async function policiesIn(page: string): Promise<ReadonlyMap<string, Policy>> {
  const docs = await readFile(`${CHECKOUT}/docs/${page}`, "utf8");
  const blocks = docs.matchAll(/^\*\*(\w+)\.?\*\*.*\n\n```json\n([^]*?)^```$/gm);
  return new Map([...blocks].map(([, name = "", text = ""]) => [name, JSON.parse(text) as Policy]));
}

/** What a page's table says of each job: the names of its policies. */
export async function jobsIn(page: string): Promise<ReadonlyMap<string, string>> {
  const docs = await readFile(`${CHECKOUT}/docs/${page}`, "utf8");
  const [, table] = /^\| job \| policies \|\n\|---\|---\|\n((?:\|.*\|\n)+)/m.exec(docs) ?? [];
  assert.ok(table !== undefined, `docs/${page} has a table of jobs and their policies`);
  const cells = table
    .trim()
    .split("\n")
    .map((row) => row.split("|").map((cell) => cell.trim()));
  return new Map(cells.map(([, job = "", policies = ""]) => [job, policies]));
}

/** A policy for one bucket and prefix. */
export function policyFor(policy: Policy, bucket: string, prefix: string): Policy {
  return JSON.parse(JSON.stringify(policy).replaceAll("BUCKET", bucket).replaceAll("PREFIX", prefix)) as Policy;
}
