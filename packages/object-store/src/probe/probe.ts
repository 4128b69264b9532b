import { randomBytes } from "node:crypto";
import type { ObjectStore } from "../port.ts";
import { type CheckName, CHECKS, keysBelow, type Trial } from "./checks.ts";

export interface ProbeReport {
  readonly checks: readonly ProbeResult[];
  readonly jobs: readonly JobVerdict[];
}

export interface ProbeResult {
  readonly name: CheckName;
  /** `unclaimed`: the store says itself that it cannot, so it was not tried. */
  readonly outcome: "works" | "fails" | "unclaimed";
  /** Why it fails. */
  readonly reason?: string;
}

/** What the store is, or is not, fit for. */
export interface JobVerdict {
  readonly job: string;
  readonly fit: boolean;
  /** The checks that it lacks for that. */
  readonly lacks: readonly CheckName[];
}

/** Without the capability, the way that does without is as good; one that is claimed is used, and has to work. */
const DIGEST = "presigned PUT, digest";

const BASICS = ["write", "read", "ranges", "absence", "list", "large objects", "delete"] as const;

/** What each job cannot do without: one of the lists, all of it. */
const JOBS: readonly { readonly job: string; readonly ways: readonly (readonly CheckName[])[] }[] = [
  { job: "LFS server, bytes through the server", ways: [BASICS] },
  { job: "LFS server, direct downloads", ways: [[...BASICS, "presigned GET"]] },
  {
    job: "LFS server, direct uploads",
    ways: [
      [...BASICS, DIGEST],
      [...BASICS, "presigned PUT", "copy"],
    ],
  },
  { job: "LFS server, direct uploads in parts", ways: [[...BASICS, "multipart", "presigned parts", "copy"]] },
  { job: "Git remote, one writer at a time", ways: [BASICS] },
  { job: "Git remote, any number of writers", ways: [[...BASICS, "conditional create", "compare-and-swap"]] },
];

/**
 * Tries out what a store can do, below a folder of its own that is removed afterwards, and says what it is fit for. The
 * races are run against the store itself: some ignore conditions, or hold to them only when nobody else writes.
 * @param o.writers how many race for one object
 * @param o.onCheck hears of each check as it begins
 */
export async function probeStore(
  store: ObjectStore,
  o: { readonly writers: number; readonly onCheck?: (name: CheckName) => void },
): Promise<ProbeReport> {
  const trial: Trial = {
    store,
    writers: o.writers,
    key: keysBelow(`holdall-probe-${randomBytes(8).toString("hex")}`),
  };
  const checks: ProbeResult[] = [];
  try {
    for (const { name, needs, run } of CHECKS) {
      if (needs !== undefined && !store.capabilities[needs]) {
        checks.push({ name, outcome: "unclaimed" });
        continue;
      }
      o.onCheck?.(name);
      checks.push({ name, ...(await outcomeOf(() => run(trial))) });
    }
  } finally {
    await cleanUp(trial);
  }
  return { checks, jobs: JOBS.map(({ job, ways }) => verdict(job, ways, checks)) };
}

async function outcomeOf(run: () => Promise<void>): Promise<Omit<ProbeResult, "name">> {
  try {
    await run();
    return { outcome: "works" };
  } catch (error) {
    return { outcome: "fails", reason: error instanceof Error ? error.message : String(error) };
  }
}

function verdict(job: string, all: readonly (readonly CheckName[])[], checks: readonly ProbeResult[]): JobVerdict {
  const isClaimed = checks.some(({ name, outcome }) => name === DIGEST && outcome !== "unclaimed");
  const first = all.find((needed) => needed.includes(DIGEST));
  const ways = isClaimed && first !== undefined ? [first] : all;
  const works = new Set(checks.filter(({ outcome }) => outcome === "works").map(({ name }) => name));
  const lacking = ways.map((needed) => needed.filter((name) => !works.has(name)));
  const [nearest = []] = lacking.toSorted((a, b) => a.length - b.length);
  return { job, fit: nearest.length === 0, lacks: nearest };
}

/** As far as it goes: a store that does not let us list or remove has said so in the report. */
async function cleanUp({ store, key }: Trial): Promise<void> {
  try {
    for await (const stat of store.list(`${key("")}/`)) await store.delete(stat.key);
  } catch {
    return;
  }
}
