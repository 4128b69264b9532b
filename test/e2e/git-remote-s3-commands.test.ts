import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { parseKey, type ObjectStore } from "@holdall/object-store";
import { Person } from "../support/git-remote/person.ts";
import { Places, type Remote, storeOf } from "../support/git-remote/places.ts";
import { refsOf } from "../support/git-remote/work.ts";
import { type Finished, run, said } from "../support/run.ts";

const places = Places.shared();

/** Somebody whose repository is kept as git-remote-s3 keeps it. */
interface Scene {
  readonly ada: Person;
  readonly remote: Remote;
  readonly store: ObjectStore;
  /** The commit that is pushed, as `main` and `side`. */
  readonly commit: string;
  /** Runs one of our programs in the work tree. */
  readonly program: (line: string) => Promise<Finished>;
}

async function scene(t: TestContext): Promise<Scene> {
  const plain = (await places.remote(t, "S3")) ?? assert.fail();
  const ada = await Person.create(t, plain);
  await ada.init("work", { url: `${plain.url}?layout=bundles` });
  const commit = await ada.commit("work", "one");
  await ada.git("work", "push", "--quiet", "origin", "main", "main:refs/heads/side");
  const program = async (line: string): Promise<Finished> => {
    const [name = "", ...args] = line.split(" ");
    return await run(name, args, { cwd: ada.path("work"), env: ada.env });
  };
  return { ada, remote: plain, store: await storeOf(plain), commit, program };
}

async function well(finished: Promise<Finished>): Promise<string> {
  const done = await finished;
  assert.equal(done.code, 0, said(done));
  return done.stdout;
}

test("git s3 protects, unprotects and deletes branches, by the name of a remote or a URL", async (t) => {
  const { ada, remote, program } = await scene(t);
  await well(program("git s3 protect origin main"));
  assert.match(await well(program("holdall repo show origin")), /protected +refs\/heads\/main/);
  await ada.git("work", "commit", "--quiet", "--amend", "-m", "other");
  assert.match((await ada.tryGit("work", "push", "--force", "origin", "main")).stderr, /protected against force/);
  assert.match(said(await program("git s3 delete-branch origin main --yes")), /protected/);
  await well(program(`git s3 unprotect ${remote.url} main`));
  await ada.git("work", "push", "--quiet", "--force", "origin", "main");
  assert.match(said(await program(`git s3 delete-branch ${remote.url} side`)), /--yes/);
  await well(program(`git s3 delete-branch ${remote.url} side --yes`));
  assert.deepEqual([...(await refsOf(ada, remote)).keys()], ["HEAD", "refs/heads/main"]);
});

test("git s3 doctor keeps the newest of two bundles, gives the other a branch, and points the head", async (t) => {
  const { ada, remote, store, commit, program } = await scene(t);
  const second = await ada.commit("work", "two");
  await ada.git("work", "push", "--quiet", "origin", "main");
  await store.copy(parseKey(`refs/heads/side/${commit}.bundle`), parseKey(`refs/heads/main/${commit}.bundle`));
  await store.delete(parseKey("HEAD"));
  const found = await program("holdall repo doctor origin");
  assert.equal(found.code, 1);
  assert.match(found.stdout, /refs\/heads\/main has 2 bundles/);
  await well(program("git s3 doctor origin main"));
  const refs = await refsOf(ada, remote);
  const values = [...refs].filter(([ref]) => ref.startsWith("refs/heads/main")).map(([, oid]) => oid);
  assert.deepEqual(values.toSorted(), [commit, second].toSorted());
  assert.ok(refs.has("HEAD"));
  assert.equal(await well(program("holdall repo doctor origin")), "Nothing is wrong.\n");
});

test("an import in place makes packs, and removes the bundles when told to", async (t) => {
  const { ada, remote, store, program } = await scene(t);
  await ada.git("work", "remote", "set-url", "origin", remote.url);
  const before = await refsOf(ada, remote);
  assert.match(await well(program("holdall repo import origin")), /^Imported: .*2 refs/);
  assert.match(await well(program("holdall repo import origin --remove-bundles --yes")), /Removed 2 bundles/);
  const left = (await Array.fromAsync(store.list("refs/"))).map(({ key }) => key);
  assert.deepEqual(left, ["refs/holdall.lock"]);
  assert.deepEqual(await refsOf(ada, remote), before);
  await ada.clone("copy", remote);
  await ada.git("copy", "fsck", "--strict");
  // Whose URL still asks for bundles is told, and does not begin anew.
  const old = await ada.tryGit(".", "ls-remote", `${remote.url}?layout=bundles`);
  assert.match(old.stderr, /^fatal: the repository was imported/m);
});

test("an import elsewhere leaves everything as it was", async (t) => {
  const { ada, remote, store, program } = await scene(t);
  const keys = async (): Promise<string[]> => (await Array.fromAsync(store.list(""))).map(({ key }) => key);
  const before = await keys();
  const into = `holdall::file://${ada.path("packs")}`;
  await well(program(`holdall repo import ${remote.url} --into ${into}`));
  assert.deepEqual(await keys(), before);
  assert.deepEqual(await refsOf(ada, { url: into }), await refsOf(ada, remote));
});
