import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { GitStore } from "@holdall/git-store";
import { seededBytes } from "../support/content.ts";
import { inWords, Line } from "../support/git-remote/line.ts";
import { Person } from "../support/git-remote/person.ts";
import { type Remote, storeOf } from "../support/git-remote/places.ts";
import { leavesUntouched } from "../support/git-remote/untouched.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";
import { Gate } from "../support/proxy.ts";
import { said } from "../support/run.ts";
import type { Fault, Target } from "../support/s3-test-server/faults.ts";
import { S3TestServer } from "../support/s3-test-server/server.ts";

const MIB = 1024 ** 2;
const MANIFEST = /\/holdall\/manifest\.json$/;
const PACK = /.*\.pack$/;

let s3: S3TestServer;
before(async () => {
  s3 = await S3TestServer.start();
});
after(async () => {
  await s3[Symbol.asyncDispose]();
});

interface Scene {
  readonly remote: Remote;
  readonly ada: Person;
  /** From now on requests of this repository meet it. @returns what ends that */
  readonly plan: (target: Omit<Target, "key"> & { readonly key: RegExp }, fault: Fault) => () => void;
  /** How many requests of this repository have failed. */
  readonly failed: () => number;
}

/** Somebody with a pushed commit, and another that is not pushed yet. */
async function scene(t: TestContext): Promise<Scene> {
  const bucket = await s3.createBucket();
  // Faults are planned for keys, which are those of all buckets: this one's are told by the prefix.
  const remote = { url: `s3://${bucket}/${bucket}`, env: s3.env };
  const ada = await Person.create(t, remote);
  await begin(ada, remote);
  await ada.commit("work", "two");
  const plan: Scene["plan"] = ({ key, ...target }, fault) =>
    s3.fault({ ...target, key: new RegExp(`^${bucket}${key.source}`) }, fault);
  const failed = (): number => s3.requests.filter((one) => one.bucket === bucket && one.status !== 200).length;
  return { remote, ada, plan, failed };
}

async function generations(remote: Remote): Promise<number> {
  const store = await storeOf(remote);
  const { manifest } = (await new GitStore(store).read()) ?? assert.fail();
  await store.close();
  return manifest.generation;
}

/** So much to say of a push that the manifest has no room for it: then the log is written, too. */
const MUCH = "word ".repeat(4000).trimEnd();

/** The push is told to be done, and is, once. */
async function pushes({ ada, remote }: Scene): Promise<void> {
  const push = await ada.tryGit("work", "push", "--porcelain", "-o", MUCH, "origin", "main");
  assert.equal(push.code, 0, said(push));
  assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), await ada.git("work", "rev-parse", "main"));
  assert.equal(await generations(remote), 2);
  await checkWhole(ada, remote);
}

describe("a store that fails", { concurrency: 3 }, () => {
  const OVERCOME: Readonly<Record<string, readonly [Parameters<Scene["plan"]>[0], Fault]>> = {
    "the commit is done and its answer is lost": [{ method: "PUT", key: MANIFEST }, { lose: true }],
    "the commit is not done and its connection breaks": [{ method: "PUT", key: MANIFEST }, { cutAfter: 10 }],
    "the store is busy when it is to commit": [
      { method: "PUT", key: MANIFEST, times: 2 },
      { answer: { status: 503, code: "SlowDown" } },
    ],
    "the store fails when it is to commit": [
      { method: "PUT", key: MANIFEST },
      { answer: { status: 500, code: "InternalError" } },
    ],
    "two commits at once, says the store": [
      { method: "PUT", key: MANIFEST },
      { answer: { status: 409, code: "ConditionalRequestConflict" } },
    ],
    "a condition is not met, says a store that is wrong": [
      { method: "PUT", key: MANIFEST },
      { answer: { status: 412, code: "PreconditionFailed" } },
    ],
    "the manifest cannot be had at first": [
      { method: "GET", key: MANIFEST, times: 2 },
      { answer: { status: 503, code: "SlowDown" } },
    ],
    "the connection breaks in the middle of the pack": [{ method: "PUT", key: PACK }, { cutAfter: 60 }],
    "the pack is stored and the answer lost": [{ method: "PUT", key: PACK }, { lose: true }],
    "the store is busy when the pack comes": [
      { method: "PUT", key: PACK, times: 2 },
      { answer: { status: 503, code: "SlowDown" } },
    ],
    "the index is stored and the answer lost": [{ method: "PUT", key: /.*\.idx$/ }, { lose: true }],
    "the log meets a store that is busy": [
      { method: "PUT", key: /\/holdall\/log\/.*$/ },
      { answer: { status: 503, code: "SlowDown" } },
    ],
    "the log's connection breaks": [{ method: "PUT", key: /\/holdall\/log\/.*$/ }, { cutAfter: 10 }],
    "the log is stored and the answer lost": [{ method: "PUT", key: /\/holdall\/log\/.*$/ }, { lose: true }],
    "the views cannot be written": [
      { method: "PUT", key: /.*\/(?:packed-refs|info\/refs|info\/packs)$/, times: 20 },
      { answer: { status: 500, code: "InternalError" } },
    ],
  };
  for (const [title, [target, fault]] of Object.entries(OVERCOME)) {
    test(`a push goes through: ${title}`, async (t) => {
      const all = await scene(t);
      const before = all.failed();
      all.plan(target, fault);
      await pushes(all);
      assert.ok(all.failed() > before, "something has failed");
    });
  }

  test("a commit that is long on its way loses to one that came later, and is made again on top of it", async (t) => {
    const all = await scene(t);
    const { ada, remote } = all;
    const gate = new Gate();
    all.plan({ method: "PUT", key: MANIFEST }, { hold: () => gate.pass() });
    const slow = ada.tryGit("work", "push", "origin", "main");
    await gate.reached;
    await ada.git("work", "push", "--quiet", remote.url, "main~1:refs/heads/other");
    gate.open();
    assert.equal((await slow).code, 0);
    assert.equal(await generations(remote), 3);
    assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), await ada.git("work", "rev-parse", "main"));
    assert.ok((await refsOf(ada, remote)).has("refs/heads/other"));
    await checkWhole(ada, remote);
  });

  for (const [how, args, words] of [
    ["", [], "fetch first"],
    [", with a lease", ["--force-with-lease"], "stale info"],
  ] as const) {
    test(`a commit that is long on its way loses the branch to one that came later${how}: ${words}`, async (t) => {
      const all = await scene(t);
      const { ada, remote } = all;
      await ada.clone("bens", remote);
      const theirs = await ada.commit("bens", "theirs");
      const gate = new Gate();
      all.plan({ method: "PUT", key: MANIFEST }, { hold: () => gate.pass() });
      const slow = ada.tryGit("work", "push", ...args, "origin", "main");
      await gate.reached;
      await ada.git("bens", "push", "--quiet");
      gate.open();
      assert.ok((await slow).stderr.includes(`(${words})`), (await slow).stderr);
      assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), theirs);
      await checkWhole(ada, remote);
    });
  }

  for (const [title, target] of [
    ["the manifest", { key: MANIFEST }],
    ["packs", { method: "PUT", key: PACK }],
    ["a commit", { method: "PUT", key: MANIFEST }],
  ] as const) {
    test(`a store that stays busy with ${title} is named in one line, and nothing has changed`, async (t) => {
      const all = await scene(t);
      const { ada, remote } = all;
      const end = all.plan({ ...target, times: 1000 }, { answer: { status: 503, code: "SlowDown" } });
      await leavesUntouched(ada, "work", async () => {
        const push = await ada.tryGit("work", "push", "origin", "main");
        assert.notEqual(push.code, 0);
        assert.match(push.stderr, /^fatal: .*(?:slow down|busy|reduce|SlowDown).*$/im);
        assert.ok(push.stderr.trim().split("\n").length <= 3, push.stderr);
      });
      end();
      assert.equal(await generations(remote), 1);
      await pushes(all);
    });
  }

  test("a pack whose connection breaks is fetched on from there, not anew", async (t) => {
    let cuts = 0;
    const line: Line = await Line.to(t, s3, {
      download: async function* (exchange, body) {
        const isPack = line.asked(exchange).key.endsWith(".pack");
        let passed = 0;
        for await (const chunk of body) {
          if (isPack && cuts < 2 && passed > MIB) {
            cuts += 1;
            throw new Error("the line breaks");
          }
          passed += chunk.length;
          yield chunk;
        }
      },
    });
    const ada = await Person.create(t, line);
    await ada.init("work", line);
    await ada.commit("work", "large", seededBytes(7, 6 * MIB));
    await ada.git("work", "push", "--quiet", "origin", "main");
    const asked = await line.during(() => ada.clone("copy", line));
    const packs = asked.filter(({ key }) => key.endsWith(".pack"));
    assert.equal(cuts, 2);
    assert.equal(packs.length, 3);
    assert.deepEqual(
      packs.map(({ exchange }) => exchange.range === undefined),
      [true, false, false],
    );
    const bytes = packs.reduce((sum, { exchange }) => sum + exchange.downloaded, 0);
    assert.ok(bytes < 6.1 * MIB, `${bytes} bytes of a pack of 6 MiB`);
    await ada.git("copy", "fsck", "--strict");
  });

  test("a pack that went while it was about to be fetched is looked for in the manifest that came later, once", async (t) => {
    let replace: (() => Promise<void>) | undefined;
    const line: Line = await Line.to(t, s3, {
      before: async ({ key }) => {
        if (!key.endsWith(".pack")) return;
        const work = replace;
        replace = undefined;
        await work?.();
      },
    });
    const ada = await Person.create(t, line);
    await begin(ada, line, { commits: ["one", "two"] });
    const store = await storeOf({ url: line.url, env: s3.env });
    const git = new GitStore(store);
    // Somebody has pushed a single pack with all of it elsewhere, which comes in the place of the first one.
    const elsewhere = { url: `${line.url}-2`, env: line.env };
    await ada.git("work", "push", "--quiet", elsewhere.url, "main~1:refs/heads/main");
    await ada.git("work", "push", "--quiet", elsewhere.url, "main");
    const other = await storeOf({ ...elsewhere, env: s3.env });
    const { packs } = ((await new GitStore(other).read()) ?? assert.fail()).manifest;
    replace = async () => {
      for await (const { key, size } of other.list("objects/pack/")) {
        await store.put(key, (await other.get(key)).body, { size });
      }
      const old = ((await git.read()) ?? assert.fail()).manifest.packs;
      const make = {
        log: { what: "compact" },
        make: (now) => now && { next: { ...now, packs }, updates: [] },
      } as const satisfies Parameters<GitStore["commit"]>[0];
      await git.commit(make, await git.read());
      const gone = new Set(old.map(({ name }) => name));
      for await (const { key } of store.list("objects/pack/")) {
        if (gone.has(key.replace(/^objects\/pack\/|\.\w+$/g, ""))) await store.delete(key);
      }
    };
    const asked = await line.during(() => ada.clone("copy", line));
    assert.equal(inWords(asked).filter((word) => word === "GET manifest").length, 2);
    await ada.git("copy", "fsck", "--strict");
    await Promise.all([store.close(), other.close()]);
  });

  test("a pack that is gone and still named is damage, and is called that", async (t) => {
    const { ada, remote } = await scene(t);
    await ada.clone("copy", remote);
    await ada.git("work", "push", "--quiet", "origin", "main");
    const store = await storeOf(remote);
    const { packs } = ((await new GitStore(store).read()) ?? assert.fail()).manifest;
    const name = packs.at(-1)?.name ?? assert.fail();
    for await (const { key } of store.list(`objects/pack/${name}.pack`)) await store.delete(key);
    await store.close();
    await leavesUntouched(ada, "copy", async () => {
      const pull = await ada.tryGit("copy", "pull");
      assert.notEqual(pull.code, 0);
      const line = `fatal: the pack ${name} that the repository names is not in the store: restore it from a copy`;
      assert.ok(pull.stderr.includes(line), pull.stderr);
    });
  });
});
