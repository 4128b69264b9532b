import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { describe, test, type TestContext } from "node:test";
import { GitStore } from "@holdall/git-store";
import { Person } from "../support/git-remote/person.ts";
import { type PlaceName, Places, type Remote, storeOf } from "../support/git-remote/places.ts";
import { begin } from "../support/git-remote/work.ts";
import { said } from "../support/run.ts";

const MANY = 32;
const GO_ON = 10;
const PLACES: readonly PlaceName[] = ["S3", "local disk"];

/** What git says of the branch of all. */
const MOVED = /^ \trefs\/heads\/main:refs\/heads\/main\t[0-9a-f]+\.\.[0-9a-f]+$/m;
const BEHIND = /^!\trefs\/heads\/main:refs\/heads\/main\t\[rejected\] \(fetch first\)$/m;

const places = Places.shared();

interface Race {
  readonly remote: Remote;
  readonly ada: Person;
  /** Clones, each with a commit of its own that nobody else has. */
  readonly clones: readonly string[];
  readonly commits: readonly string[];
}

async function race(t: TestContext, place: PlaceName): Promise<Race> {
  const remote = (await places.remote(t, place)) ?? assert.fail();
  const ada = await Person.create(t, remote);
  await begin(ada, remote);
  await ada.clone("clone", remote);
  const clones = Array.from({ length: MANY }, (_, at) => `clone-${at}`);
  const commits: string[] = [];
  for (const name of clones) {
    await cp(ada.path("clone"), ada.path(name), { recursive: true });
    commits.push(await ada.commit(name, name));
  }
  return { remote, ada, clones, commits };
}

/** What anybody finds afterwards: one history, of changes each of which was made to the one before, and every object. */
async function check({ ada, remote }: Race, changes: number): Promise<void> {
  const store = await storeOf(remote);
  const { manifest } = (await new GitStore(store).read()) ?? assert.fail();
  assert.ok(manifest.generation >= 1 + changes, `${manifest.generation} generations`);
  await store.close();
  await ada.git(".", "clone", "--quiet", "--mirror", remote.url, "final");
  await ada.git("final", "fsck", "--strict", "--full");
}

describe("many who push at once", () => {
  for (const place of PLACES) {
    test(`${place}: each gets to a branch of their own and one to that of all; what anybody is told is so`, async (t) => {
      const all = await race(t, place);
      const { ada, clones, commits } = all;
      const behind: string[] = [];
      await Promise.all(
        clones.map(async (name) => {
          const push = await ada.tryGit(name, "push", "--porcelain", "origin", `main:refs/heads/${name}`, "main");
          assert.match(push.stdout, new RegExp(`^\\*\\trefs/heads/main:refs/heads/${name}\\t`, "m"), said(push));
          if (push.code !== 0) behind.push(name);
          assert.match(push.stdout, push.code === 0 ? MOVED : BEHIND, said(push));
        }),
      );
      t.diagnostic(`${behind.length} were behind`);
      assert.ok(behind.length >= MANY / 2, "it was a race");
      // Some of those who are behind go on, two at once, each until it has come through: all of them would take minutes.
      let refusals = 0;
      const going = behind.slice(0, GO_ON);
      const waiting = going.values();
      const goOn = async (): Promise<void> => {
        for (const name of waiting) {
          for (;;) {
            await ada.git(name, "pull", "--quiet", "--rebase", "origin", "main");
            const push = await ada.tryGit(name, "push", "--porcelain", "origin", "main");
            if (push.code === 0) break;
            assert.match(push.stdout, BEHIND, said(push));
            refusals += 1;
          }
        }
      };
      await Promise.all(Array.from({ length: 2 }, goOn));
      t.diagnostic(`and ${refusals} times again`);
      await check(all, MANY);
      for (const [at, name] of clones.entries()) assert.equal(await ada.git("final", "rev-parse", name), commits[at]);
      const ahead = clones.filter((name) => !behind.includes(name) || going.includes(name));
      assert.equal(await ada.git("final", "rev-list", "--count", "main"), String(1 + ahead.length));
      const files = (await ada.git("final", "ls-tree", "--name-only", "main")).split("\n");
      assert.deepEqual(files.toSorted(), ["one", ...ahead].toSorted());
      const told = await Promise.all(ahead.map(async (name) => await ada.git(name, "rev-parse", "main")));
      const history = (await ada.git("final", "rev-list", "main")).split("\n");
      assert.deepEqual(
        told.filter((commit) => !history.includes(commit)),
        [],
      );
    });
  }
});
