import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test, type TestContext } from "node:test";
import { setVariable } from "../../../../test/support/environment.ts";
import { runWell } from "../../../../test/support/run.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { runLfsAgentCommand } from "./lfs-agent-commands.ts";
import { isStore, lfsEndpoint, lfsFolder, lfsUrl, readLfsSettings } from "./lfs-agent-settings.ts";

/** A repository in `work`, and the home of somebody who has configured nothing else. */
class Machine {
  readonly home: string;
  readonly work: string;

  private constructor(home: string) {
    this.home = home;
    this.work = join(home, "work");
  }

  static async create(t: TestContext, remotes: Readonly<Record<string, string>> = {}): Promise<Machine> {
    const home = await temporaryFolder(t, "lfs-agent");
    setVariable(t, "HOME", home);
    setVariable(t, "GIT_CONFIG_NOSYSTEM", "1");
    await writeFile(join(home, ".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.invalid\n");
    const machine = new Machine(home);
    await mkdir(machine.work);
    await machine.git("init", "--quiet");
    for (const [name, url] of Object.entries(remotes)) await machine.git("remote", "add", name, url);
    return machine;
  }

  async git(...args: readonly string[]): Promise<string> {
    return (await runWell("git", args, { cwd: this.work })).stdout.trim();
  }

  /** Runs `git lfs-holdall`. @returns its exit code, and all it said */
  async run(...args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const said = Promise.all([text(stdout), text(stderr)]);
    const io = { stdin: new PassThrough(), stdout, stderr, env: process.env, cwd: this.work };
    const code = await runLfsAgentCommand(args, io);
    stdout.end();
    stderr.end();
    return { code, said: (await said).join("") };
  }

  async does(...args: readonly string[]): Promise<string> {
    const { code, said } = await this.run(...args);
    assert.equal(code, 0, said);
    return said;
  }

  async configurations(): Promise<readonly string[]> {
    return await Promise.all(
      [join(this.work, ".git/config"), join(this.home, ".gitconfig")].map((path) => readFile(path, "utf8")),
    );
  }

  async endpoint(remote: string, operation: "upload" | "download" = "download"): Promise<string | undefined> {
    return lfsEndpoint(await readLfsSettings(this.work), remote, operation);
  }
}

const STORE = "s3://team@bucket/repository";
const GITHUB = "https://github.com/team/app.git";

describe("where objects of a remote go is what git-lfs says", () => {
  test("by the first of many settings that is there", async (t) => {
    const machine = await Machine.create(t, { origin: "s3://a/1", other: "gs://b/1", none: "x" });
    await machine.git("config", "--unset", "remote.none.url");
    await machine.git("config", "remote.none.fetch", "x");
    assert.deepEqual(
      [await machine.endpoint("origin"), await machine.endpoint("other"), await machine.endpoint("none")],
      ["s3://a/1", "gs://b/1", "s3://a/1"],
    );
    assert.equal(await machine.endpoint("az://account/container"), "az://account/container");
    // Each counts more than all before it.
    for (const [key, forUploads] of [
      ["remote.other.pushurl", true],
      ["remote.other.lfsurl", false],
      ["remote.other.lfspushurl", true],
      ["lfs.url", false],
      ["lfs.pushurl", true],
    ] as const) {
      const before = await machine.endpoint("other", "download");
      const url = `s3://${key.toLowerCase().replaceAll(".", "-")}/x`;
      await machine.git("config", key, url);
      assert.equal(await machine.endpoint("other", "upload"), url);
      assert.equal(await machine.endpoint("other", "download"), forUploads ? before : url);
    }
  });

  test("by .lfsconfig: of the work tree, or else the index, or else the commit; never against git's own", async (t) => {
    const machine = await Machine.create(t, { origin: GITHUB });
    await machine.git("config", "-f", ".lfsconfig", "lfs.url", "s3://shared/x");
    await machine.git("config", "-f", ".lfsconfig", "lfs.storage", "/elsewhere");
    assert.equal(await machine.endpoint("origin"), "s3://shared/x");
    assert.equal(lfsFolder(await readLfsSettings(machine.work)), join(machine.work, ".git/lfs"), "not for it to say");
    await machine.git("add", ".lfsconfig");
    await machine.git("commit", "--quiet", "-m", "one");
    await rm(join(machine.work, ".lfsconfig"));
    assert.equal(await machine.endpoint("origin"), "s3://shared/x");
    await machine.git("rm", "--quiet", "--cached", ".lfsconfig");
    assert.equal(await machine.endpoint("origin"), "s3://shared/x");
    await runWell("git", ["clone", "--quiet", "--bare", machine.work, join(machine.home, "bare.git")]);
    const bare = await readLfsSettings(join(machine.home, "bare.git"));
    assert.equal(lfsEndpoint(bare, "origin", "download"), "s3://shared/x");
    assert.equal(lfsFolder(bare), join(machine.home, "bare.git", "lfs"));
    await machine.git("config", "lfs.url", "gs://mine/x");
    assert.equal(await machine.endpoint("origin"), "gs://mine/x");
  });

  test("with the beginnings of URLs that git is told to replace", async (t) => {
    const machine = await Machine.create(t, { origin: "work:app" });
    await machine.git("config", "url.s3://bucket/.insteadOf", "work:");
    await machine.git("config", "url.s3://apps/.insteadOf", "work:a");
    await machine.git("config", "url.s3://short/.insteadOf", "w");
    await machine.git("config", "url.gs://pushes/.pushInsteadOf", "work:");
    assert.equal(await machine.endpoint("origin", "download"), "s3://apps/pp");
    assert.equal(await machine.endpoint("origin", "upload"), "gs://pushes/app");
  });

  test("from below the top of a work tree, and in one that was added", async (t) => {
    const machine = await Machine.create(t, { origin: STORE });
    await machine.git("config", "-f", ".lfsconfig", "lfs.url", "s3://shared/x");
    await machine.git("add", ".lfsconfig");
    await machine.git("commit", "--quiet", "-m", "one");
    await mkdir(join(machine.work, "a/b"), { recursive: true });
    await machine.git("worktree", "add", "--quiet", "../second");
    for (const folder of [join(machine.work, "a/b"), join(machine.home, "second")]) {
      const settings = await readLfsSettings(folder);
      assert.equal(lfsEndpoint(settings, "origin", "download"), "s3://shared/x");
      assert.equal(lfsFolder(settings), join(machine.work, ".git/lfs"));
    }
    await machine.git("config", "lfs.storage", "../shared");
    assert.equal(lfsFolder(await readLfsSettings(join(machine.home, "second"))), join(machine.work, "shared"));
  });

  test("but not the address that git-remote-s3 makes up for it", async (t) => {
    const machine = await Machine.create(t, { origin: STORE });
    await machine.git("config", "remote.origin.lfsurl", "https://lfs-alias.git-remote-s3.test/bucket/repository");
    assert.equal(await machine.endpoint("origin"), STORE);
  });

  test("what is no store is refused, without what is secret in it", async (t) => {
    const machine = await Machine.create(t, { origin: "https://ada:secret@example.com/app" });
    const settings = await readLfsSettings(machine.work);
    assert.throws(() => lfsUrl(settings, "origin", "upload"), {
      code: "invalid",
      message:
        /^git-lfs asks git-lfs-holdall for the objects of origin, but they are at https:\/\/\*\*\*@example\.com\/app/,
    });
    for (const url of ["https://h/x", "git@h:x", "/folder", "file:///folder", "ssh://s3/x"])
      assert.ok(!isStore(url), url);
    for (const url of [STORE, "S3://b/x", "s3+zip://b/x", "gs://b", "az://a/c", "holdall::file:///x"])
      assert.ok(isStore(url), url);
  });
});

describe("git lfs-holdall", () => {
  for (const [how, args] of [
    ["one remote", ["--remote", "origin"]],
    ["all remotes that are stores", []],
    ["all repositories", ["--global"]],
    ["a remote that is no store", ["--remote", "github", "--url", "gs://bucket/objects"]],
  ] as const) {
    test(`install for ${how}, twice, and uninstall leaves the configuration as it was`, async (t) => {
      const machine = await Machine.create(t, { origin: STORE, github: GITHUB });
      await appendFile(join(machine.work, ".git/config"), '[lfs "https://s3"]\n\taccess = basic\n');
      await appendFile(join(machine.home, ".gitconfig"), '[lfs "https://gs"]\n\taccess = basic\n');
      const before = await machine.configurations();
      await machine.does("install", ...args);
      const [local, global] = await machine.configurations();
      await machine.does("install", ...args);
      assert.deepEqual(await machine.configurations(), [local, global]);
      assert.notDeepEqual([local, global], before);
      const isGlobal = args[0] === "--global";
      assert.equal(
        (isGlobal ? local : global) === (isGlobal ? before[0] : before[1]),
        true,
        "only the one that was meant",
      );
      await machine.does("uninstall", ...(args[0] === "--remote" ? args.slice(0, 2) : args));
      assert.deepEqual(await machine.configurations(), before);
    });
  }

  test("uninstall leaves what somebody has set otherwise since", async (t) => {
    const machine = await Machine.create(t);
    await machine.does("install", "--global");
    const key = "lfs.https://gs.standalonetransferagent";
    await machine.git("config", "--global", key, "not-holdall");
    await machine.does("uninstall", "--global");
    assert.equal(await machine.git("config", "--global", "--get-regexp", "^lfs"), `${key} not-holdall`);
  });

  test("uninstall for one remote leaves the other ones", async (t) => {
    const machine = await Machine.create(t, { origin: STORE, second: "gs://bucket/x" });
    assert.equal(
      await machine.does("install"),
      `origin: LFS objects go to s3://***@bucket/repository\nsecond: LFS objects go to gs://bucket/x\n`,
    );
    await machine.does("uninstall", "--remote", "origin");
    assert.match(await machine.does("status"), /^origin .* nobody: run "git lfs-holdall install"$/m);
    assert.match(await machine.does("status"), /^second +holdall::gs:\/\/bucket\/x +git-lfs-holdall$/m);
  });

  test("a remote that is fetched from one place and pushed to another keeps both", async (t) => {
    const machine = await Machine.create(t, { origin: STORE });
    await machine.git("remote", "set-url", "--push", "origin", "gs://pushed/x");
    await machine.does("install");
    assert.equal(await machine.endpoint("origin", "download"), `holdall::${STORE}`);
    assert.equal(await machine.endpoint("origin", "upload"), "holdall::gs://pushed/x");
    assert.match(await machine.does("status"), /^origin \(push\) +holdall::gs:\/\/pushed\/x +git-lfs-holdall$/m);
  });

  test("status says for each remote who transfers its objects", async (t) => {
    const machine = await Machine.create(t, {
      origin: STORE,
      github: GITHUB,
      folder: "holdall::file:///folder",
      colons: "s3://bucket/x?endpoint=http://127.0.0.1:9000",
    });
    const missing = 'nobody: run "git lfs-holdall install"';
    const lines = async (): Promise<Readonly<Record<string, string | undefined>>> => {
      const rows = (await machine.does("status")).trim().split("\n").slice(1);
      return Object.fromEntries(rows.map((row) => row.split(/ {2,}/)).map(([name = "", , by]) => [name, by]));
    };
    const none = { origin: missing, github: "git-lfs itself", folder: missing, colons: missing };
    assert.deepEqual(await lines(), none);
    await machine.does("install", "--global");
    const agent = "git-lfs-holdall";
    assert.deepEqual(await lines(), { ...none, origin: agent, folder: agent }, "git-lfs cannot read a second colon");
    await machine.does("install");
    assert.deepEqual(await lines(), { origin: agent, github: "git-lfs itself", folder: agent, colons: agent });
  });

  test("debugging is on from one command to the other, and says where the log is", async (t) => {
    const machine = await Machine.create(t, { origin: STORE });
    await machine.does("install");
    const path = join(machine.work, ".git/lfs/tmp/git-lfs-holdall.log");
    assert.equal(await machine.does("enable-debug"), `The log is ${path}\n`);
    assert.equal(await machine.git("config", "lfs.customtransfer.holdall.args"), "transfer --debug");
    await machine.does("disable-debug");
    assert.equal(await machine.git("config", "lfs.customtransfer.holdall.args"), "transfer");
    await machine.does("enable-debug", "--global");
    assert.equal(await machine.git("config", "--global", "lfs.customtransfer.holdall.args"), "transfer --debug");
  });

  for (const [args, code, said] of [
    [["install", "--remote", "nix"], 1, /there is no remote "nix"; there are: origin\n$/],
    [
      ["install", "--remote", "origin"],
      1,
      /origin is https:\/\/\*\*\*@example\.com\/x, which is no store: say with --url/,
    ],
    [["install", "--remote", "origin", "--url", "https://x/y"], 1, /"https:\/\/x\/y" is not a store URL/],
    [["install"], 1, /no remote of this repository is a store: --remote and --url say/],
    [["install", "--global", "--remote", "origin"], 2, /--remote and --global exclude each other/],
    [["install", "--url", "s3://b/x"], 2, /--url goes with --remote/],
    [["instal"], 2, /unknown command 'instal'/],
  ] as const) {
    test(`says what is wrong with: ${args.join(" ")}`, async (t) => {
      const machine = await Machine.create(t, { origin: "https://ada:secret@example.com/x" });
      const before = await machine.configurations();
      const ended = await machine.run(...args);
      assert.deepEqual([ended.code, await machine.configurations()], [code, before], ended.said);
      assert.match(ended.said, said);
      assert.match(ended.said, /^git lfs-holdall: /);
      assert.doesNotMatch(ended.said, /secret/);
    });
  }
});
