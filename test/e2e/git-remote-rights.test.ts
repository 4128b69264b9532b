import assert from "node:assert/strict";
import { test } from "node:test";
import { parseKey, type ObjectStore } from "@holdall/object-store";
import { seededBytes } from "../support/content.ts";
import {
  assertNamed,
  grantsIn,
  HERE,
  Office,
  type Page,
  runRepo,
  THERE,
  withoutEach,
} from "../support/git-remote/office.ts";
import type { Person } from "../support/git-remote/person.ts";
import { type Remote, storeOf } from "../support/git-remote/places.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";
import { type Finished, said } from "../support/run.ts";
import { ENFORCERS } from "../support/s3-enforcers.ts";

/** Of uploads that were broken off: git-remote-rights-unfinished.test.ts. */
const UNFINISHED = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];

interface Job {
  /** What is there before. */
  readonly prepare: (office: Office) => Promise<unknown>;
  /** What the guest does, until something fails. */
  readonly steps: readonly ((guest: Person, office: Office) => Promise<Finished>)[];
  /** Actions of the policies that this job does without. */
  readonly spare?: readonly string[];
  /** After it was done. */
  readonly check?: (office: Office) => Promise<unknown>;
  readonly lfs?: true;
}

const BUNDLES = "?layout=bundles";
const remoteOf = ({ url, env }: Office, more = ""): Remote => ({ url: `${url}${more}`, env });
const beginAs = async (office: Office, more = ""): Promise<unknown> =>
  await begin(office.owner, remoteOf(office, more), { commits: ["one", "two"] });
const wholeAfterwards = async (office: Office): Promise<void> => await checkWhole(office.owner, office);

let clones = 0;
const clone = async (guest: Person, { url }: Office): Promise<Finished> =>
  await guest.tryGit(".", "clone", "--quiet", url, `clone-${(clones += 1)}`);

const repo =
  (...args: readonly string[]) =>
  async (guest: Person, office: Office): Promise<Finished> =>
    await runRepo(guest, office, args);
const git =
  (...args: readonly string[]) =>
  async (guest: Person): Promise<Finished> =>
    await guest.tryGit("own", ...args);

const URL = `BUCKET/${HERE}`;

const REMOTE: Readonly<Record<string, Job>> = {
  "clone, fetch, `git ls-remote`": {
    prepare: beginAs,
    // Where nothing is yet it takes the right to see that.
    steps: [async (guest, { url }) => await guest.tryGit(".", "ls-remote", `${url}/later`), clone],
  },
  push: {
    prepare: async ({ guest, url }) => {
      await guest.init("own", { url });
      await guest.commit("own", "one");
    },
    steps: [
      git("push", "origin", "main"),
      git("push", "origin", "main:refs/heads/other"),
      git("push", "origin", "--delete", "other"),
    ],
    check: wholeAfterwards,
  },
  "clone and fetch in git-remote-s3's layout": {
    prepare: (office) => beginAs(office, BUNDLES),
    steps: [clone],
  },
  "push in git-remote-s3's layout": {
    prepare: async (office) => {
      await beginAs(office, BUNDLES);
      await office.guest.clone("own", office);
      await office.guest.commit("own", "three");
    },
    steps: [git("push", "origin", "main"), git("push", "origin", "main:refs/heads/other")],
    check: wholeAfterwards,
  },
};

const COMMANDS: Readonly<Record<string, Job>> = {
  "`show`, `list`, `log`, `fsck`": {
    prepare: beginAs,
    steps: [repo("show", URL), repo("list", URL), repo("log", URL), repo("fsck", URL, "--full")],
  },
  "`set-head`, `protect`, `unprotect`, `delete-branch`, `restore`": {
    prepare: async (office) => {
      await beginAs(office);
      await office.owner.git("work", "push", "--quiet", "origin", "main:refs/heads/other", "main:refs/heads/third");
    },
    steps: [
      repo("set-head", URL, "other"),
      repo("protect", URL, "other"),
      repo("unprotect", URL, "other"),
      repo("delete-branch", URL, "third", "--yes"),
      repo("restore", URL, "--generation", "2", "--yes"),
    ],
    // The repository is there.
    spare: ["s3:ListBucket"],
    check: wholeAfterwards,
  },
  "`maintain`, `doctor --repair`": {
    prepare: async (office) => {
      await begin(office.owner, remoteOf(office), { commits: ["one"] });
      for (const name of ["two", "three"]) {
        await office.owner.commit("work", name);
        await office.owner.git("work", "push", "--quiet", "origin", "main");
      }
    },
    steps: [repo("maintain", URL, "--grace", "0s"), repo("doctor", URL, "--repair")],
    // It says that it could not look.
    spare: ["s3:ListBucketMultipartUploads"],
    check: wholeAfterwards,
  },
  "`delete-branch` in git-remote-s3's layout": {
    prepare: async (office) => {
      await beginAs(office, BUNDLES);
      await office.owner.git("work", "push", "--quiet", "origin", "main:refs/heads/other");
    },
    steps: [repo("delete-branch", URL, "other", "--yes")],
    check: async (office) =>
      assert.deepEqual([...(await refsOf(office.owner, office)).keys()], ["HEAD", "refs/heads/main"]),
  },
  "`doctor --repair` in git-remote-s3's layout": {
    prepare: async (office) => {
      await beginAs(office, BUNDLES);
      const { owner } = office;
      const first = await owner.git("work", "rev-parse", "main~1");
      await owner.git("work", "push", "--quiet", "origin", "main~1:refs/heads/aside");
      await using store = closing(await storeOf(remoteOf(office)));
      // As two leave it who push at once, one of them without a lock; and a clone begins with nothing.
      const [aside, main] = ["aside", "main"].map((ref) => parseKey(`refs/heads/${ref}/${first}.bundle`));
      await store.it.copy(aside ?? assert.fail(), main ?? assert.fail());
      await store.it.delete(parseKey("HEAD"));
    },
    steps: [repo("doctor", URL, "--repair")],
    check: wholeAfterwards,
  },
  "`import` in place": {
    prepare: (office) => beginAs(office, BUNDLES),
    steps: [repo("import", URL)],
    check: wholeAfterwards,
  },
  "`import --remove-bundles`": {
    prepare: (office) => beginAs(office, BUNDLES),
    steps: [repo("import", URL, "--remove-bundles", "--yes")],
    check: wholeAfterwards,
  },
  "`import --into`": {
    prepare: (office) => beginAs(office, BUNDLES),
    steps: [repo("import", URL, "--into", `BUCKET/${THERE}`)],
    check: async ({ owner, bucket }) => await checkWhole(owner, { url: `s3://${bucket}/${THERE}` }),
  },
};

const LFS: Readonly<Record<string, Job>> = {
  download: {
    lfs: true,
    prepare: async (office) => {
      // Where git-remote-s3 keeps them, which is not where they are looked for first.
      await withLfs(office.owner, `${office.url}${BUNDLES}`);
      await office.owner.git("work", "push", "--quiet", "origin", "main");
      await office.guest.with({ GIT_LFS_SKIP_SMUDGE: "1" }).clone("own", office);
    },
    steps: [git("lfs", "pull", "origin")],
    check: async ({ guest }) => assert.doesNotMatch(await guest.git("own", "lfs", "ls-files"), / - /),
  },
  upload: {
    lfs: true,
    prepare: async ({ guest, url }) => await withLfs(guest, url, "own"),
    steps: [git("lfs", "push", "origin", "main")],
    check: async (office) => {
      await using store = closing(await storeOf(remoteOf(office)));
      assert.equal((await Array.fromAsync(store.it.list("lfs/objects/"))).length, 1);
    },
  },
};

const PAGES: readonly (readonly [Page, Readonly<Record<string, Job>>])[] = [
  ["git-remote.md", REMOTE],
  ["repo-commands.md", COMMANDS],
  ["lfs-agent.md", LFS],
];

async function withLfs(person: Person, url: string, folder = "work"): Promise<void> {
  await person.init(folder, { url });
  await person.git(folder, "lfs", "track", "*.bin");
  await person.write(folder, "large.bin", seededBytes(1, 10_000));
  await person.commit(folder, "readme.txt");
}

function closing(store: ObjectStore): AsyncDisposable & { readonly it: ObjectStore } {
  return { it: store, [Symbol.asyncDispose]: () => store.close() };
}

for (const [page, jobs] of PAGES) {
  const grants = await grantsIn(page);

  test(`each job in docs/${page} is proven`, () => {
    assert.deepEqual([...grants.keys()], Object.keys(jobs));
  });

  for (const [title, job] of Object.entries(jobs)) {
    for (const [name, start] of Object.entries(ENFORCERS)) {
      test(`${name}: ${title}: with the documented policies, and without any action of them not`, async (t) => {
        const enforcer = await start(t);
        const office = enforcer && (await Office.open(t, enforcer, { lfs: job.lfs }));
        if (office === undefined) return;
        const given = grants.get(title) ?? assert.fail();
        await job.prepare(office);
        // Only Amazon and the test server say of what is absent that it is forbidden.
        for (const { action, left } of name === "versitygw" ? [] : withoutEach(given)) {
          if (UNFINISHED.includes(action) || job.spare?.includes(action) === true) continue;
          assertNamed(await attempt(job, await office.admit(left), office), action);
        }
        const done = await attempt(job, await office.admit(given), office);
        assert.equal(done.code, 0, said(done));
        await job.check?.(office);
      });
    }
  }
}

/** Does the job until something fails. @returns how the last step ended */
async function attempt({ steps }: Job, guest: Person, office: Office): Promise<Finished> {
  let last: Finished = { code: 0, stdout: "", stderr: "" };
  for (const step of steps) {
    last = await step(guest, office);
    if (last.code !== 0) break;
  }
  return last;
}
