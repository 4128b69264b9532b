import type { TestContext } from "node:test";
import { skip } from "../../support/require.ts";
import { runWell } from "../../support/run.ts";

/** What a process has open besides what a story counts. */
const OTHERS = 500;

/**
 * False, and the test skipped, when a process may not have so many files and connections open. Node itself raises its
 * limit to the hard one.
 */
export async function requireOpenFiles(t: TestContext, count: number): Promise<boolean> {
  const { stdout } = await runWell("sh", ["-c", "ulimit -H -n"]);
  const limit = stdout.trim() === "unlimited" ? Number.POSITIVE_INFINITY : Number(stdout);
  if (limit >= count + OTHERS) return true;
  skip(t, `needs ${count + OTHERS} open files in each process, and the hard limit is ${limit} (ulimit -H -n)`);
  return false;
}
