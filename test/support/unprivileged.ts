import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { skip } from "./require.ts";

/** Root is asked for no permission unless it gives up its capabilities; everybody else has none. */
const UNPRIVILEGED = process.getuid?.() === 0 ? (["setpriv", "--bounding-set=-all"] as const) : (["env"] as const);

/**
 * A command that turns into the one that follows it, with no more rights to files than their permissions give. Undefined,
 * and the test skipped, where this user cannot give up the right to read and write everything.
 */
export function requireUnprivileged(t: TestContext): typeof UNPRIVILEGED | undefined {
  const [program, ...args] = UNPRIVILEGED;
  if (spawnSync(program, [...args, "true"]).status === 0) return UNPRIVILEGED;
  skip(t, "root may read and write everything, and there is no setpriv to give that up");
  return undefined;
}
