import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { seededBytes, sha256 } from "../support/content.ts";
import { eventually } from "../support/eventually.ts";
import type { Person } from "../support/git-remote/person.ts";
import { lfsPerson } from "../support/lfs-agent.ts";
import { withEachGitLfs, withGitLfs } from "../support/require.ts";
import { S3TestServer } from "../support/s3-test-server/server.ts";

const MIB = 1024 * 1024;
/** Five parts. */
const LARGE = seededBytes(1, 40 * MIB - 5);
const OID = sha256(LARGE);
const KEY = `repository/lfs/objects/${OID.slice(0, 2)}/${OID.slice(2, 4)}/${OID}`;

interface Story {
  readonly server: S3TestServer;
  readonly url: string;
  readonly bucket: string;
  readonly ada: Person;
  /** How many requests there were of each kind since it was last asked, for the key of the object. */
  readonly counted: () => Readonly<Record<string, number>>;
}

/** A repository `work` with one large object, of which nothing has been pushed. */
async function story(t: TestContext, gitLfs: Parameters<typeof lfsPerson>[1]): Promise<Story> {
  const server = await S3TestServer.start();
  atEnd(t, () => server[Symbol.asyncDispose]());
  const bucket = await server.createBucket();
  const ada = await lfsPerson(t, gitLfs, { ...server.env, GIT_SSH_COMMAND: "false" });
  await ada.git(".", "lfs-holdall", "install", "--global");
  const url = `s3://${bucket}/repository`;
  await ada.init("work", { url });
  await ada.git("work", "lfs", "track", "*.bin");
  await ada.write("work", "large.bin", LARGE);
  await ada.commit("work", "readme.txt");
  let seen = 0;
  const counted = (): Readonly<Record<string, number>> => {
    // What was on its way when its sender ended has no answer.
    const requests = server.requests.slice(seen).filter(({ key, status }) => key === KEY && status !== 0);
    seen = server.requests.length;
    return Object.fromEntries(
      [...Map.groupBy(requests, ({ operation = "" }) => operation)].map(([name, all]) => [name, all.length]),
    );
  };
  return { server, url, bucket, ada, counted };
}

/** Starts git, and ends it with all that it has started when it is time. */
async function interrupted(
  person: Person,
  args: readonly string[],
  o: { readonly signal: NodeJS.Signals; readonly when: Promise<unknown> },
): Promise<void> {
  const git = spawn("git", args, { cwd: person.path("work"), env: person.env, detached: true, stdio: "ignore" });
  const ended = once(git, "exit");
  await Promise.race([o.when, ended.then(() => assert.fail("git ended by itself"))]);
  assert.ok(git.pid !== undefined);
  const group = -git.pid;
  process.kill(group, o.signal);
  await ended;
  // The agent may take a moment longer, and what it has sent may still be on its way.
  await eventually("all that git has started is gone", () => !isAlive(group));
}

function isAlive(group: number): boolean {
  try {
    return process.kill(group, 0);
  } catch {
    return false;
  }
}

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  withEachGitLfs(`a push that is ended by ${signal} goes on where it was: no part is sent twice`, async (t, gitLfs) => {
    const { server, bucket, ada, counted } = await story(t, gitLfs);
    // Two parts come through, and no more, but these are in the hands of the server.
    const reached = Promise.withResolvers<void>();
    const hold = (): Promise<never> => {
      reached.resolve();
      return new Promise(() => undefined);
    };
    const release = server.fault({ operation: "UploadPart", skip: 2, times: Number.POSITIVE_INFINITY }, { hold });
    const noted = untilNoted(ada, 2);
    await interrupted(ada, ["push", "origin", "main"], { signal, when: Promise.all([reached.promise, noted]) });
    release();
    assert.equal(server.look(bucket).objects.has(KEY), false);
    assert.equal(counted()["CreateMultipartUpload"], 1);

    await ada.git("work", "push", "--quiet", "origin", "main");
    assert.deepEqual(counted(), { HeadObject: 1, ListParts: 1, UploadPart: 3, CompleteMultipartUpload: 1 });
    assert.equal(server.look(bucket).uploads.size, 0);
    assert.deepEqual(await readdir(ada.path("work/.git/lfs/holdall/uploads")), []);

    await ada.git("work", "lfs", "push", "--object-id", "origin", OID);
    assert.deepEqual(counted(), { HeadObject: 1 }, "it is there, and that takes one request to find out");
  });
}

withGitLfs("git-lfs-newest", "a fetch that is interrupted goes on where it was", async (t, gitLfs) => {
  const { server, ada, counted } = await story(t, gitLfs);
  await ada.git("work", "push", "--quiet", "origin", "main");
  await rm(ada.path("work/.git/lfs"), { recursive: true });
  counted();
  // The connection breaks again and again, each time after so many bytes, and then nothing more comes.
  const cut = 7 * MIB;
  const release = server.fault({ operation: "GetObject", key: KEY, times: 2 }, { truncateAfter: cut });
  await ada.git("work", "lfs", "fetch", "origin", "main");
  release();
  assert.equal(counted()["GetObject"], 3);
  assert.deepEqual(await readFile(localObject(ada)), LARGE);
  assert.deepEqual(await readdir(ada.path("work/.git/lfs/tmp")), []);
});

withGitLfs("git-lfs-newest", "a store that cannot be had: who is told what, and what is left", async (t, gitLfs) => {
  const { server, url, ada } = await story(t, gitLfs);
  const denied = await lfsPerson(t, gitLfs, {
    ...ada.env,
    ...server.addUser({ Version: "2012-10-17", Statement: [] }),
    PATH: ada.env["PATH"],
  });
  await denied.git(".", "lfs-holdall", "install", "--global");
  await denied.git(".", "clone", "--quiet", "--no-local", ada.path("work"), "work");
  await denied.git("work", "remote", "set-url", "origin", url);
  const { code, stderr } = await denied.tryGit("work", "lfs", "push", "--object-id", "origin", OID);
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`error transferring "${OID}": \\[403\\] .+`));
});

/** Waits until so many parts of the upload are noted. */
async function untilNoted(person: Person, parts: number): Promise<void> {
  const folder = person.path("work/.git/lfs/holdall/uploads");
  await eventually(`${parts} parts are noted`, async () => {
    const [note] = existsSync(folder) ? await readdir(folder) : [];
    return note !== undefined && (await readFile(join(folder, note), "utf8")).split("\n").length === parts + 2;
  });
}

function localObject(person: Person): string {
  return person.path("work/.git/lfs/objects", OID.slice(0, 2), OID.slice(2, 4), OID);
}
