import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test, type TestContext } from "node:test";
import { findService, type FoundService, type ServiceName } from "../../scripts/services.ts";

/**
 * A service that the test cannot do without. Where it is missing and cannot be installed, the test is skipped with the
 * reason and undefined is returned.
 */
export async function requireService(t: TestContext, name: ServiceName): Promise<FoundService | undefined> {
  const service = await findService(name);
  if (!("missing" in service)) return service;
  skip(t, `${name}: ${service.missing}`);
  return undefined;
}

/** False, and the test skipped, when the folder for temporary files has less room than this many bytes. */
export async function requireRoom(t: TestContext, bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize >= bytes) return true;
  skip(t, `needs ${bytes} bytes free in ${tmpdir()}; set TMPDIR to a folder with more room`);
  return false;
}

/** Skips a test by reason; with `CI=true`, where that would go unseen, it fails. */
export function skip(t: Pick<TestContext, "skip">, reason: string): void {
  if (process.env["CI"] === "true") throw new Error(`With CI=true nothing is skipped. ${reason}`);
  t.skip(reason);
}

type Story = (t: TestContext, gitLfs: FoundService) => Promise<void>;

const CLIENTS = { "git-lfs": "the distribution's git-lfs", "git-lfs-newest": "the newest git-lfs" } as const;

/** Longer than any time-out of a single command, so that those speak first. */
const STORY_SECONDS = 600;

/** A story that holds with the git-lfs of the distribution and with the newest one: one test for each. */
export function withEachGitLfs(title: string, story: Story): void {
  withGitLfs("git-lfs", title, story);
  withGitLfs("git-lfs-newest", title, story);
}

/** A story that is told with one git-lfs only, because it is slow or says nothing about clients. */
export function withGitLfs(client: keyof typeof CLIENTS, title: string, story: Story): void {
  test(`${title} (${CLIENTS[client]})`, { timeout: STORY_SECONDS * 1000 }, async (t) => {
    const gitLfs = await requireService(t, client);
    if (gitLfs !== undefined) await story(t, gitLfs);
  });
}
