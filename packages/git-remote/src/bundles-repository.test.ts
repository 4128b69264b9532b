import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { LocalGit } from "@holdall/git-store";
import { MemoryStore, parseKey, StorageError } from "@holdall/object-store";
import { User } from "../test/user.ts";
import { BundlesRepository } from "./bundles-repository.ts";
import { noOptions } from "./options.ts";

const HELPER = join(import.meta.dirname, "..", "test", "bundles-helper.ts");

/** A user who can reach repositories in git-remote-s3's layout, in folders. */
class BundleUser {
  readonly user: User;
  readonly store: string;

  private constructor(user: User) {
    this.user = user;
    this.store = join(user.folder, "store");
  }

  static async create(t: TestContext): Promise<BundleUser> {
    const user = await User.create(t);
    const program = join(user.folder, "bin", "git-remote-bundles");
    await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${HELPER}' "$@"\n`);
    await chmod(program, 0o755);
    return new BundleUser(user);
  }

  /** @param settings as `bundles-helper.ts` takes them */
  url(settings = ""): string {
    return `bundles::${settings === "" ? "" : `${settings}@`}${pathToFileURL(this.store).href}`;
  }

  /** A work tree with one commit, pushed. */
  static async pushed(t: TestContext): Promise<BundleUser> {
    const one = await BundleUser.create(t);
    await one.init("work");
    await one.user.commit("work", "one");
    await one.user.git("work", "push", "--quiet", "--set-upstream", "origin", "main");
    return one;
  }

  async init(name: string, ...args: readonly string[]): Promise<void> {
    await this.user.git(".", "init", "--quiet", ...args, name);
    await this.user.git(name, "remote", "add", "origin", this.url());
  }

  async clone(name: string, ...args: readonly string[]): Promise<string> {
    return await this.user.git(".", "clone", "--quiet", ...args, this.url(), name);
  }

  /** All keys of the store, sorted. */
  async keys(): Promise<string[]> {
    const entries = await readdir(this.store, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.store.length + 1))
      .filter((key) => !key.startsWith(".holdall/"))
      .toSorted();
  }

  async remoteRefs(): Promise<string> {
    return await this.user.git(".", "ls-remote", this.url());
  }
}

test("what one pushes, another clones, changes and pushes, and the first one pulls", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await one.clone("copy");
  const second = await user.commit("copy", "two");
  await user.git("copy", "tag", "-a", "-m", "First", "v1");
  await user.git("copy", "notes", "add", "-m", "a note");
  await user.git("copy", "push", "--quiet", "origin", "main", "v1", "refs/notes/commits", "main:refs/heads/a/b");
  const tag = await user.git("copy", "rev-parse", "v1");
  const note = await user.git("copy", "rev-parse", "refs/notes/commits");
  assert.deepEqual(await one.keys(), [
    "HEAD",
    `refs/heads/a/b/${second}.bundle`,
    `refs/heads/main/${second}.bundle`,
    `refs/notes/commits/${note}.bundle`,
    `refs/tags/v1/${tag}.bundle`,
  ]);
  assert.equal(await readFile(join(one.store, "HEAD"), "utf8"), "refs/heads/main");
  await user.git("work", "pull", "--quiet", "--tags");
  await user.git("work", "fetch", "--quiet", "origin", "refs/notes/*:refs/notes/*");
  assert.equal(
    await user.git("work", "for-each-ref", "refs/tags", "refs/notes"),
    await user.git("copy", "for-each-ref", "refs/tags", "refs/notes"),
  );
  await user.git("work", "fsck", "--strict");
  assert.deepEqual(
    (await readdir(join(user.folder, "work", ".git", "objects", "pack"))).filter((name) => name.endsWith(".keep")),
    [],
  );
});

test("each bundle is one that git itself verifies, with the whole history", async (t) => {
  const one = await BundleUser.pushed(t);
  const second = await one.user.commit("work", "two");
  await one.user.git("work", "push", "--quiet", "origin", "HEAD~0:refs/heads/by-oid");
  const path = join(one.store, `refs/heads/by-oid/${second}.bundle`);
  assert.match(await one.user.git("work", "bundle", "list-heads", path), new RegExp(`^${second} `));
  await one.user.git(".", "clone", "--quiet", "--branch=by-oid", path, "from-bundle");
  assert.equal(await one.user.git("from-bundle", "rev-list", "--count", "HEAD"), "2");
});

test("refusals are in git's own words", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await one.clone("copy");
  await user.git("copy", "push", "--quiet", "origin", "main:refs/heads/other");
  const theirs = await user.commit("copy", "theirs");
  await user.git("copy", "push", "--quiet");
  await user.commit("work", "mine");
  const said = async (...args: readonly string[]): Promise<string> => (await user.try("work", "push", ...args)).err;
  assert.match(await said("origin", "main"), /! \[rejected\] +main -> main \(fetch first\)/);
  assert.match(await said("--force-with-lease", "origin", "main"), /\(stale info\)/);
  assert.match(await said("--atomic", "origin", "main:refs/heads/x", "main:refs/heads/y"), /one after another/);
  assert.match(await said("origin", "main:refs/heads/main/below"), /refs\/heads\/main is in the way/);
  // Somebody is making it.
  await mkdir(join(one.store, "refs/heads/locked"), { recursive: true });
  await writeFile(join(one.store, "refs/heads/locked/LOCK#.lock"), "");
  assert.match(await said("origin", "main:refs/heads/locked/below"), /refs\/heads\/locked is in the way/);
  await rm(join(one.store, "refs/heads/locked"), { recursive: true });
  assert.match(await said("origin", ":main"), /refusing to delete the current branch/);
  assert.match(await said("origin", "main:refs/heads/a.zip"), /git-remote-s3 would not see/);
  assert.equal((await user.try("work", "push", "--dry-run", "origin", "main:refs/heads/dry")).code, 0);
  assert.doesNotMatch(await one.remoteRefs(), /dry/);
  await user.git("work", "fetch", "--quiet");
  await user.git("work", "push", "--quiet", `--force-with-lease=main:${theirs}`, "origin", "main");
  await user.git("work", "push", "--quiet", "origin", ":other");
  assert.deepEqual(
    (await one.keys()).filter((key) => key.startsWith("refs/")),
    [`refs/heads/main/${await user.git("work", "rev-parse", "main")}.bundle`],
  );
});

test("a protected branch goes forward, and is neither forced nor deleted", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await user.git("work", "push", "--quiet", "origin", "main:refs/heads/kept");
  await writeFile(join(one.store, "refs/heads/kept/PROTECTED#"), "");
  await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main:kept");
  await user.git("work", "commit", "--quiet", "--amend", "-m", "other");
  assert.match((await user.try("work", "push", "--force", "origin", "main:kept")).err, /protected against force/);
  assert.match((await user.try("work", "push", "origin", ":kept")).err, /protected against deletion/);
});

test("HEAD is made by the first branch and by no tag, and is guessed where it is of no use", async (t) => {
  const one = await BundleUser.create(t);
  const { user } = one;
  await one.init("work");
  await user.commit("work", "one");
  await user.git("work", "tag", "v1");
  await user.git("work", "push", "--quiet", "origin", "v1");
  assert.equal((await one.keys()).includes("HEAD"), false);
  await user.git("work", "push", "--quiet", "origin", "HEAD:refs/heads/aaa", "main");
  assert.equal(await readFile(join(one.store, "HEAD"), "utf8"), "refs/heads/main");
  for (const head of ["refs/heads/gone", "nonsense\n", undefined]) {
    if (head === undefined) await rm(join(one.store, "HEAD"));
    else await writeFile(join(one.store, "HEAD"), head);
    assert.match(await user.git(".", "ls-remote", "--symref", one.url()), /^ref: refs\/heads\/main\tHEAD$/m);
  }
});

test("foreign objects are overlooked, and names that are none are said to be", async (t) => {
  const one = await BundleUser.pushed(t);
  const oid = await one.user.git("work", "rev-parse", "main");
  const there = (await one.remoteRefs()).split("\n").length;
  const strange = ["refs/heads/a..b", "refs/heads/x/.hidden", "elsewhere"].map((ref) => `${ref}/${oid}.bundle`);
  const foreign = ["refs/heads/main/notes.txt", "refs/heads/main/repo.zip", "lfs/abc", "refs/heads/main/x.bundle"];
  for (const key of [...strange, ...foreign]) {
    await mkdir(dirname(join(one.store, key)), { recursive: true });
    await writeFile(join(one.store, key), "x");
  }
  const { out, err } = await one.user.try(".", "ls-remote", one.url());
  assert.equal(out.trim().split("\n").length, there);
  assert.match(err, /refs\/heads\/a\.\.b\/[0-9a-f]+\.bundle is overlooked/);
  await one.clone("copy");
});

test("of a ref with several bundles the newest counts, and a push goes on when the others are in its history", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  const first = await user.git("work", "rev-parse", "main");
  const folder = join(one.store, "refs/heads/main");
  const aside = join(user.folder, "aside.bundle");
  await user.git("work", "bundle", "create", "--quiet", aside, "main");
  const second = await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main");
  await rename(join(folder, `${second}.bundle`), join(folder, "new"));
  await rename(aside, join(folder, `${first}.bundle`));
  await writeFile(join(folder, `${second}.bundle`), await readFile(join(folder, "new")));
  await rm(join(folder, "new"));
  const { out, err } = await user.try(".", "ls-remote", one.url(), "main");
  assert.match(out, new RegExp(`^${second}\t`));
  assert.match(err, /refs\/heads\/main has several bundles/);
  const third = await user.commit("work", "three");
  await user.git("work", "push", "--quiet", "origin", "main");
  assert.deepEqual(await readdir(folder), [`${third}.bundle`]);
});

test("a push is refused while a ref has an older bundle that is in nobody's history, even by force", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await one.clone("copy");
  const other = await user.commit("copy", "other");
  await user.git("copy", "bundle", "create", "--quiet", "../other.bundle", "main");
  const folder = join(one.store, "refs/heads/main");
  await rename(join(user.folder, "other.bundle"), join(folder, `${other}.bundle`));
  await utimes(join(folder, `${other}.bundle`), 1e9, 1e9);
  await user.commit("work", "two");
  const { code, err } = await user.try("work", "push", "--force", "origin", "main");
  assert.equal(code, 1);
  assert.match(err, /several bundles, and one of them is nowhere else/);
  assert.equal((await readdir(folder)).length, 2);
});

test("annotated tags are in no history: an older bundle of one is not removed because its commit is in that of the newer", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await user.git("work", "tag", "-a", "-m", "First", "v1");
  const first = await user.git("work", "rev-parse", "v1");
  await user.git("work", "bundle", "create", "--quiet", "../first.bundle", "v1");
  for (const message of ["Second", "Third"]) {
    await user.git("work", "tag", "--force", "-a", "-m", message, "v1");
    if (message === "Second") await user.git("work", "push", "--quiet", "origin", "v1");
  }
  const path = join(one.store, `refs/tags/v1/${first}.bundle`);
  await rename(join(user.folder, "first.bundle"), path);
  await utimes(path, 1e9, 1e9);
  const { code, err } = await user.try("work", "push", "--force", "origin", "v1");
  assert.equal(code, 1);
  assert.match(err, /several bundles, and one of them is nowhere else/);
  await user.git("work", "bundle", "verify", "--quiet", path);
});

test("a shallow or partial clone pushes nothing that others could not clone", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await user.commit("work", "two");
  await user.git("work", "push", "--quiet");
  const source = pathToFileURL(join(user.folder, "work")).href;
  await user.git("work", "config", "uploadpack.allowFilter", "true");
  for (const [how, message] of [
    ["--depth=1", /shallow update not allowed/],
    ["--filter=blob:none", /partial clone lacks/],
  ] as const) {
    const name = how.slice(2, 7);
    await user.git(".", "clone", "--quiet", "--no-checkout", how, source, name);
    await user.git(name, "commit", "--quiet", "--allow-empty", "-m", "more");
    await user.git(name, "remote", "add", "store", one.url());
    const before = await one.remoteRefs();
    assert.match((await user.try(name, "push", "store", "HEAD:refs/heads/main")).err, message);
    assert.equal(await one.remoteRefs(), before);
  }
});

test("a SHA-256 repository is read and not written", async (t) => {
  const one = await BundleUser.create(t);
  const { user } = one;
  await one.init("work", "--object-format=sha256");
  const oid = await user.commit("work", "one");
  assert.match((await user.try("work", "push", "origin", "main")).err, /cannot read a SHA-256 repository/);
  const folder = join(one.store, "refs/heads/main");
  await mkdir(folder, { recursive: true });
  await user.git("work", "bundle", "create", "--quiet", "--version=3", join(folder, `${oid}.bundle`), "main");
  await user.git(".", "init", "--quiet", "--object-format=sha256", "copy");
  await user.git("copy", "fetch", "--quiet", one.url(), "main");
  assert.equal(await user.git("copy", "rev-parse", "FETCH_HEAD"), oid);
});

test("damaged bundles are refused, and leave the clone as it was", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  const key = (await one.keys()).find((name) => name.endsWith(".bundle")) ?? "";
  const path = join(one.store, key);
  const bytes = await readFile(path);
  await user.commit("work", "two");
  await user.git("work", "bundle", "create", "--quiet", "../thin.bundle", "main~1..main");
  const thin = await readFile(join(user.folder, "thin.bundle"));
  const flipped = Buffer.from(bytes);
  flipped[bytes.length - 30] = (flipped[bytes.length - 30] ?? 0) ^ 1;
  for (const [bad, message] of [
    [bytes.subarray(0, 40), /ends before its pack begins/],
    [bytes.subarray(0, bytes.length - 25), /index-pack/],
    [flipped, /index-pack/],
    [Buffer.from("-----BEGIN PGP MESSAGE-----\n\nabc"), /no bundle; it may be encrypted/],
    [thin, /only an addition to others/],
  ] as const) {
    await writeFile(path, bad);
    await user.git(".", "init", "--quiet", "empty");
    const { code, err } = await user.try("empty", "fetch", one.url(), "main");
    assert.notEqual(code, 0);
    assert.match(err, message);
    assert.equal(await user.git("empty", "for-each-ref"), "");
    await rm(join(user.folder, "empty"), { recursive: true });
  }
  const other = `${"0".repeat(39)}1`;
  await writeFile(join(dirname(path), `${other}.bundle`), bytes);
  await rm(path);
  await user.git(".", "init", "--quiet", "empty");
  assert.match((await user.try("empty", "fetch", one.url(), "main")).err, /does not have the object/);
});

test("a bundle that several refs need is sent and fetched once", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await user.git("work", "push", "--quiet", "origin", "main:refs/heads/a", "main:refs/heads/b");
  await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main");
  await one.clone("copy");
  const packs = await readdir(join(user.folder, "copy", ".git", "objects", "pack"));
  assert.equal(packs.filter((name) => name.endsWith(".pack")).length, 1);
  assert.equal((await user.git("copy", "branch", "--remotes")).split("\n").length, 4);
});

test("of many who push at once, each who is told ok is in the history, and nothing needs repair", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  const people = Array.from({ length: 5 }, (_, index) => `person${index}`);
  await Promise.all(people.map((name) => one.clone(name)));
  const winners: string[] = [];
  await Promise.all(
    people.map(async (name) => {
      const commit = await user.commit(name, name);
      const own = await user.try(name, "push", "--quiet", "origin", `main:refs/heads/${name}`);
      assert.equal(own.code, 0, own.err);
      const shared = await user.try(name, "push", "--quiet", "origin", "main");
      if (shared.code === 0) winners.push(commit);
      else assert.match(shared.err, /fetch first/);
    }),
  );
  assert.equal(winners.length, 1);
  const keys = await one.keys();
  assert.deepEqual(
    keys.filter((key) => key.startsWith("refs/heads/main/")),
    [`refs/heads/main/${winners[0]}.bundle`],
  );
  assert.equal(keys.filter((key) => !key.endsWith(".bundle")).join(), "HEAD");
  await one.clone("last");
  await user.git("last", "fsck", "--strict");
});

for (const moment of ["killBefore", "killAfter"]) {
  test(`whoever is killed (${moment} each change of the store) leaves the old value or the new one, and no one waits for long`, async (t) => {
    const one = await BundleUser.pushed(t);
    const { user } = one;
    for (let step = 1; ; step += 1) {
      const before = await user.git("work", "rev-parse", "main");
      const after = await user.commit("work", `${moment}${step}`);
      await user.git("work", "remote", "set-url", "origin", one.url(`${moment}=${step},lockTtl=1`));
      const { code } = await user.try("work", "push", "--quiet", "origin", "main");
      await user.git("work", "remote", "set-url", "origin", one.url("lockTtl=1"));
      const [value = ""] = (await user.git(".", "ls-remote", one.url(), "refs/heads/main")).split("\t");
      assert.ok([before, after].includes(value), `step ${step}`);
      await rm(join(user.folder, "copy"), { recursive: true, force: true });
      await one.clone("copy");
      await user.git("copy", "fsck", "--strict");
      await user.commit("work", `${moment}${step}-again`);
      await user.git("work", "push", "--quiet", "origin", "main");
      const keys = (await one.keys()).filter((key) => key.startsWith("refs/"));
      assert.deepEqual(keys, [`refs/heads/main/${await user.git("work", "rev-parse", "main")}.bundle`]);
      if (code === 0) {
        assert.ok(step > 5, `a push changes the store ${step - 1} times`);
        break;
      }
    }
  });
}

test("what was listed and is otherwise by then is not gone by: a source of copies, an upload, HEAD", async (t) => {
  const user = await User.create(t);
  await user.git(".", "init", "--quiet", "work");
  const oid = await user.commit("work", "one");
  const store = new MemoryStore();
  const put = async (key: string): Promise<void> => {
    await store.put(parseKey(key), Readable.from([Buffer.from("refs/heads/b")]), { size: 12 });
  };
  const git = new LocalGit(join(user.folder, "work", ".git"));
  const repository = new BundlesRepository({ store, git, zip: false, say: () => undefined, draw: undefined });
  const push = async (source: string | undefined, ref: string): Promise<string | undefined> =>
    (await repository.push([{ source, ref, force: false }], noOptions()))[0]?.refused;
  const another = parseKey(`refs/heads/a/${oid}.bundle`);

  await put(another);
  await repository.list();
  await store.delete(another);
  assert.equal(await push("HEAD", "refs/heads/b"), undefined);

  const copy = store.copy.bind(store);
  store.copy = async (from) => {
    throw new StorageError("not-found", `there is no object ${from}`);
  };
  assert.match((await push("HEAD", "refs/heads/c")) ?? "", /the upload was removed by somebody else/);
  store.copy = copy;

  await store.delete(parseKey("HEAD"));
  await repository.list();
  await put("HEAD");
  assert.equal(await push(undefined, "refs/heads/b"), "refusing to delete the current branch");
  const keys = (await Array.fromAsync(store.list(""))).map(({ key }) => key);
  assert.deepEqual(keys, ["HEAD", `refs/heads/b/${oid}.bundle`]);
});

test("the files of what is pushed lie beside it as a zip, and go with it", async (t) => {
  const one = await BundleUser.pushed(t);
  const { user } = one;
  await user.git("work", "remote", "set-url", "origin", one.url("zip"));
  const second = await user.commit("work", "two");
  await user.git("work", "push", "--quiet", "origin", "main", "main:refs/heads/other");
  assert.deepEqual(
    (await one.keys()).filter((key) => key.startsWith("refs/")),
    ["main", "other"].flatMap((ref) => [`refs/heads/${ref}/${second}.bundle`, `refs/heads/${ref}/repo.zip`]),
  );
  const zip = await readFile(join(one.store, "refs/heads/main/repo.zip"));
  assert.equal(zip.toString("latin1", 0, 2), "PK");
  assert.ok(zip.includes("two"));
  await user.git("work", "push", "--quiet", "origin", ":other");
  assert.ok(!(await one.keys()).some((key) => key.startsWith("refs/heads/other/")));
});
