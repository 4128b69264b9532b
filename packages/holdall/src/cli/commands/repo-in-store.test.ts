import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { after, describe, test, type TestContext } from "node:test";
import { startS3 } from "../../../../../test/support/cloud-stores.ts";
import { inWords, Line } from "../../../../../test/support/git-remote/line.ts";
import { Person } from "../../../../../test/support/git-remote/person.ts";
import { Places, storeOf, type Remote } from "../../../../../test/support/git-remote/places.ts";
import { begin, checkWhole, refsOf } from "../../../../../test/support/git-remote/work.ts";
import { run } from "../run.ts";
import { BIN, spawnHoldall, type Ended } from "../spawn-holdall.ts";

interface Scene {
  readonly ada: Person;
  readonly remote: Remote;
  /** Runs a command in the work tree `work`, whose `origin` is the remote. */
  readonly holdall: (...args: readonly string[]) => Promise<Ended>;
  /** The same, which must succeed. @returns its document */
  readonly json: (...args: readonly string[]) => Promise<Record<string, unknown>>;
}

async function scene(t: TestContext, remote: Remote): Promise<Scene> {
  const ada = await Person.create(t, { env: remote.env });
  await begin(ada, remote, { commits: ["one", "two"] });
  const holdall = (...args: readonly string[]): Promise<Ended> =>
    spawnHoldall(args, { cwd: ada.path("work"), env: ada.env });
  const json = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await holdall(...args, "--json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  return { ada, remote, holdall, json };
}

const places = Places.shared();
const nothing: Ended = { code: 0, stdout: "Nothing is wrong.\n", stderr: "" };

async function onDisk(t: TestContext): Promise<Scene> {
  return await scene(t, (await places.remote(t, "local disk")) ?? assert.fail());
}

for (const place of ["local disk", "S3"] as const) {
  test(`${place}: a repository is shown, protected, maintained, checked and restored`, async (t) => {
    const remote = await places.remote(t, place);
    if (remote === undefined) return;
    const { ada, holdall, json } = await scene(t, remote);
    const url = remote.url.replace("holdall::", "");
    const one = await ada.git("work", "rev-parse", "main~");
    const two = await ada.git("work", "rev-parse", "main");

    const shown = await json("repo", "show", "origin");
    assert.deepEqual(
      [shown["url"], shown["generation"], shown["head"], shown["refs"], shown["change"]],
      [url, 1, "refs/heads/main", 1, { what: "push", by: "Ada <ada@example.invalid>" }],
    );
    assert.match((await holdall("repo", "show", url)).stdout, /^generation +1\nlast change +\S+ \S+ UTC, push by Ada/m);
    const { repositories } = await json("repo", "list", url.slice(0, url.lastIndexOf("/")));
    assert.deepEqual(repositories, [{ path: url.slice(url.lastIndexOf("/") + 1), layout: "packs" }]);

    assert.equal(
      (await holdall("repo", "protect", "origin", "main")).stdout,
      "Protected: refs/heads/main: no force, no delete.\n",
    );
    await ada.git("work", "reset", "--quiet", "--hard", one);
    assert.match((await ada.tryGit("work", "push", "--force", "origin", "main")).stderr, /protected against force/);
    assert.equal((await holdall("repo", "unprotect", remote.url, "main")).code, 0);
    await ada.git("work", "push", "--quiet", "--force", "origin", "main", "main:refs/heads/side");
    assert.equal((await holdall("repo", "set-head", "origin", "side")).stdout, "Clones begin with refs/heads/side.\n");

    const dry = await json("repo", "restore", "origin", "--generation", "1", "--dry-run");
    assert.deepEqual([dry["packs"], dry["generation"]], ["present", null]);
    assert.equal((await json("repo", "restore", "origin", "--generation", "1", "--yes"))["generation"], 6);
    assert.deepEqual(
      [...(await refsOf(ada, remote))],
      [
        ["HEAD", two],
        ["refs/heads/main", two],
      ],
    );

    const { entries } = (await json("repo", "log", "origin", "--limit", "3")) as { entries: { what: string }[] };
    assert.deepEqual(
      entries.map(({ what }) => what),
      ["restore", "head", "push"],
    );
    const log = await holdall("repo", "log", "origin", "--ref", "side");
    assert.match(log.stdout, /^GENERATION +WHEN.*\n6 +\S+ \S+ +restore .*side.*–\n4 +.*push .*–  /m);

    const maintained = await json("repo", "maintain", "origin", "--full");
    assert.deepEqual([maintained["after"], maintained["removed"]], [1, []]);
    assert.deepEqual(await holdall("repo", "doctor", "origin"), nothing);
    const checked = await holdall("repo", "fsck", "origin", "--full");
    assert.match(checked.stdout, /^Generation \d+, 1 packs of \d+ bytes: all of it is whole\.\n$/);
    await checkWhole(ada, remote);
    assert.deepEqual(await ada.temporaries(), []);
  });
}

test("a branch is deleted when somebody agrees, and says where it was", async (t) => {
  const { ada, remote, holdall } = await onDisk(t);
  await ada.git("work", "push", "--quiet", "origin", "main:refs/heads/side");
  assert.match((await holdall("repo", "delete-branch", "origin", "main", "--yes")).stderr, /clones begin with/);
  assert.match(
    (await holdall("repo", "delete-branch", "origin", "sode", "--yes")).stderr,
    /there is no branch sode in /,
  );
  const unasked = await holdall("repo", "delete-branch", "origin", "side");
  assert.deepEqual([unasked.code, unasked.stdout], [1, ""]);
  assert.match(unasked.stderr, /there is nobody to ask .*--yes\n$/);

  const answering = async (answer: string): Promise<{ code: number; asked: string }> => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    stdin.end(answer);
    const args = ["repo", "delete-branch", remote.url, "side"];
    const code = await run(args, { stdin, stdout, stderr, env: ada.env, cwd: ada.path("work") });
    return { code, asked: String(stderr.read()) };
  };
  for (const answer of ["n\n", "\n", ""]) {
    const { code, asked } = await answering(answer);
    assert.equal(code, 1);
    assert.match(
      asked,
      /^Delete refs\/heads\/side, which is at [0-9a-f]{40}, from file:.*\? \[y\/N\] holdall: nothing was changed\n$/,
    );
  }
  assert.ok((await refsOf(ada, remote)).has("refs/heads/side"));
  assert.equal((await answering("y\n")).code, 0);
  assert.ok(!(await refsOf(ada, remote)).has("refs/heads/side"));
});

test("what is damaged fails with 1, says what is whole, and that can be had", async (t) => {
  const { ada, remote, holdall, json } = await onDisk(t);
  await ada.commit("work", "three");
  await ada.git("work", "push", "--quiet", "origin", "main");
  const store = await storeOf(remote);
  const { packs } = (await json("repo", "show", "origin")) as { packs: { name: string }[] };
  for await (const { key } of store.list(`objects/pack/${packs.at(-1)?.name}.pack`)) await store.delete(key);
  const quick = await holdall("repo", "fsck", "origin");
  assert.equal(quick.code, 1);
  assert.match(quick.stdout, /\npack-[0-9a-f]+\.pack is not in the store\n"holdall repo fsck origin --full" says/);
  assert.equal((await holdall("repo", "doctor", "origin")).code, 1);
  const full = await holdall("repo", "fsck", "origin", "--full", "--json");
  assert.deepEqual([full.code, (JSON.parse(full.stdout) as { whole: number }).whole], [1, 1]);
  assert.match(full.stderr, /^fetching pack 1 of 2$/m);
  assert.equal((await json("repo", "restore", "origin", "--generation", "1", "--yes"))["packs"], "anew");
  assert.deepEqual(await holdall("repo", "doctor", "origin"), nothing);
  await checkWhole(ada, remote);
});

test("doctor mends what a crash has left, and says so", async (t) => {
  const { remote, holdall } = await onDisk(t);
  const store = await storeOf(remote);
  for await (const { key } of store.list("info/")) await store.delete(key);
  const found = await holdall("repo", "doctor", "origin");
  assert.equal(found.code, 1);
  assert.match(
    found.stdout,
    /^what plain tools read is out of date: info\/refs: "holdall repo doctor origin --repair"/,
  );
  assert.match((await holdall("repo", "doctor", "origin", "--repair")).stdout, /^mended: what plain tools read/);
  assert.deepEqual(await holdall("repo", "doctor", "origin"), nothing);
});

test("a log that was cut off is shown as far as it goes, and that is said", async (t) => {
  const { ada, remote, holdall } = await onDisk(t);
  // More than the manifest has room for.
  const option = "word ".repeat(4000).trimEnd();
  await ada.git("work", "push", "--quiet", "-o", option, "origin", "main:refs/heads/side");
  await ada.git("work", "push", "--quiet", "origin", "main:refs/heads/late");
  const store = await storeOf(remote);
  for await (const { key } of store.list("holdall/log/000000000002-")) await store.delete(key);
  const { code, stdout, stderr } = await holdall("repo", "log", "origin");
  assert.equal(code, 1);
  assert.match(stdout, /^GENERATION .*\n3 .*refs\/heads\/late .*\n$/);
  assert.match(stderr, /^holdall: the log of the repository has no entry of generation 2: it was removed/);
});

test("a name is a remote's or the server's, and never in doubt", async (t) => {
  const { ada, remote, holdall } = await onDisk(t);
  const data = ["--data", ada.path("data")];
  for (const name of ["origin", "team/app"]) await holdall("repo", "create", name, ...data);
  const isStored = async (...args: readonly string[]): Promise<boolean> =>
    (await holdall("repo", "show", ...args)).stdout.startsWith("REPOSITORY");
  assert.equal(await isStored("origin"), true);
  assert.equal(await isStored(remote.url), true);
  const served = await holdall("repo", "show", "origin", ...data);
  assert.match(served.stdout, /^NAME .*\norigin /);
  assert.match((await holdall("repo", "show", "team/app", ...data)).stdout, /^NAME .*\nteam\/app /);
  assert.match((await holdall("repo", "show", "nope")).stderr, /there is no Holdall data in/);
  assert.match((await holdall("repo", "list", ...data)).stdout, /^NAME .*\norigin .*\nteam\/app /);
});

describe("what cannot be done is said in one line", () => {
  const line = async (holdall: Scene["holdall"], ...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await holdall(...args);
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.equal(stderr.split("\n").length, 2, stderr);
    return stderr;
  };

  test("of remotes", async (t) => {
    const { ada, remote, holdall } = await onDisk(t);
    await ada.git("work", "remote", "add", "elsewhere", "https://ada:secret@example.invalid/app.git");
    await ada.git("work", "remote", "add", "empty", `${remote.url}-empty`);
    await ada.git("work", "remote", "add", "bundles", "s3://bucket/path?layout=bundles");
    assert.match(await line(holdall, "repo", "log", "upstream"), /no remote "upstream": name one that it has/);
    const elsewhere = await line(holdall, "repo", "log", "elsewhere");
    assert.match(elsewhere, /is at https:\/\/.*example\.invalid\/app\.git, and not in a store/);
    assert.doesNotMatch(elsewhere, /secret/);
    assert.match(await line(holdall, "repo", "fsck", "empty"), /^holdall: there is no repository at file:/);
    assert.match(await line(holdall, "repo", "maintain", "ftp://x"), /is not a store URL/);
    assert.match(await line(holdall, "repo", "log", "bundles"), /is kept in the layout of git-remote-s3/);
  });

  test("of branches, rules and generations", async (t) => {
    const { holdall } = await onDisk(t);
    assert.match(await line(holdall, "repo", "set-head", "origin", "nope"), /there is no branch nope/);
    assert.match(await line(holdall, "repo", "unprotect", "origin", "main"), /there is no rule for refs\/heads\/main/);
    const both = ["repo", "protect", "origin", "main", "--allow-force", "--allow-delete"];
    assert.match(await line(holdall, ...both), /a rule that allows both denies nothing/);
    const restore = ["repo", "restore", "origin", "--yes", "--generation"];
    assert.match(await line(holdall, ...restore, "7"), /no generation 7: .* from 1 to 1/);
    for (const wrong of [
      ["protect", "origin", "a b"],
      ["log", "origin", "--limit", "0"],
      ["restore", "origin", "--generation", "x"],
      ["maintain", "origin", "--grace", "long"],
    ]) {
      assert.equal((await holdall("repo", ...wrong)).code, 2, wrong.join(" "));
    }
  });

  test("of credentials", async (t) => {
    const remote = (await places.remote(t, "S3")) ?? assert.fail();
    const { ada, holdall } = await scene(t, remote);
    const wrong = { ...ada.env, AWS_SECRET_ACCESS_KEY: "wrong" };
    for (const command of ["show", "fsck", "doctor", "maintain", "log"]) {
      const said = await line(() => spawnHoldall(["repo", command, remote.url], { cwd: ada.home, env: wrong }));
      assert.doesNotMatch(said, /this should not happen|wrong/);
    }
    assert.match((await holdall("repo", "list", "s3://no-such-bucket-here")).stderr, /^holdall: .*no-such-bucket-here/);
  });
});

describe("through a line to S3", async () => {
  const server = await startS3();
  after(() => server[Symbol.asyncDispose]());

  test("a look takes few requests", async (t) => {
    const lined = await Line.to(t, server);
    const { ada, holdall } = await scene(t, lined);
    for (let push = 0; push < 6; push += 1) {
      await ada.commit("work", `more ${push}`);
      await ada.git("work", "push", "--quiet", "origin", "main");
    }
    const requests = async (...args: readonly string[]): Promise<readonly string[]> =>
      inWords(await lined.during(() => holdall("repo", ...args))).map((words) => words.replace(/^GET \/.*/, "LIST"));
    assert.deepEqual(await requests("show", "origin"), ["GET manifest"]);
    assert.deepEqual(await requests("log", "origin"), ["GET manifest"]);
    assert.deepEqual(await requests("fsck", "origin"), ["GET manifest", "GET manifest", "LIST"]);
  });

  test("Ctrl-C leaves nothing behind", async (t) => {
    const coming = new PassThrough();
    const lined = await Line.to(t, server, {
      before: async ({ method, key }) => {
        if (method !== "GET" || !key.endsWith(".pack")) return;
        coming.write("pack");
        await new Promise(() => undefined);
      },
    });
    const { ada } = await scene(t, lined);
    const child = spawn(process.execPath, [BIN, "repo", "fsck", "origin", "--full"], {
      cwd: ada.path("work"),
      env: ada.env,
      stdio: "ignore",
    });
    await once(coming, "data");
    assert.equal((await ada.temporaries()).length, 1);
    child.kill("SIGINT");
    const [, signal] = (await once(child, "close")) as [unknown, string];
    assert.equal(signal, "SIGINT");
    assert.deepEqual(await ada.temporaries(), []);
  });
});
