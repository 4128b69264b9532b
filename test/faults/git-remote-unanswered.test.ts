import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { GitStore } from "@holdall/git-store";
import { eventually } from "../support/eventually.ts";
import { Person } from "../support/git-remote/person.ts";
import { type Remote, storeOf } from "../support/git-remote/places.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";
import { Gate } from "../support/proxy.ts";
import { type Finished, said } from "../support/run.ts";
import type { Fault, Target } from "../support/s3-test-server/faults.ts";
import { type Recorded, S3TestServer } from "../support/s3-test-server/server.ts";

/** Programs do not wait for a minute then. */
const SHORT = { NODE_OPTIONS: `--import=${new URL("../support/git-remote/short-patience.ts", import.meta.url).href}` };
const NEVER = (): Promise<unknown> => new Promise(() => {});

let s3: S3TestServer;
before(async () => {
  s3 = await S3TestServer.start();
});
after(async () => {
  await s3[Symbol.asyncDispose]();
});

/** Somebody with a pushed commit, and another one that is not pushed yet. */
class Scene {
  readonly remote: Remote;
  readonly ada: Person;
  readonly #bucket: string;

  private constructor(bucket: string, ada: Person) {
    this.#bucket = bucket;
    this.remote = { url: `s3://${bucket}/${bucket}`, env: s3.env };
    this.ada = ada;
  }

  static async create(t: TestContext): Promise<Scene> {
    const scene = new Scene(await s3.createBucket(), await Person.create(t, { env: s3.env }));
    await begin(scene.ada, scene.remote);
    await scene.ada.commit("work", "two");
    return scene;
  }

  /** From now on requests for the manifest meet it. @returns what ends that */
  plan(target: Omit<Target, "key">, fault: Fault): () => void {
    // Faults are planned for keys, and those of all buckets: this one's are told by the prefix.
    return s3.fault({ ...target, key: `${this.#bucket}/holdall/manifest.json` }, fault);
  }

  /** Pushes by a program that does not wait for long. */
  async push(...args: readonly string[]): Promise<Finished> {
    return await this.ada.with(SHORT).tryGit("work", "push", "--porcelain", ...args);
  }

  /** Attempts to swap the manifest. */
  get swaps(): readonly Recorded[] {
    return s3.requests.filter(
      ({ bucket, key, method }) => bucket === this.#bucket && method === "PUT" && key.endsWith("/manifest.json"),
    );
  }

  /** These refs are told to be pushed, each once, and were, in one change. */
  async assertPushed(push: Finished, refs: readonly string[], generation: number): Promise<void> {
    assert.equal(push.code, 0, said(push));
    const told = push.stdout.split("\n").flatMap((line) => /^[ *+-]\t[^:]+:(\S+)\t/.exec(line)?.[1] ?? []);
    assert.deepEqual(told.toSorted(), refs.toSorted());
    const [tip, all] = [await this.ada.git("work", "rev-parse", "main"), await refsOf(this.ada, this.remote)];
    for (const ref of refs) assert.equal(all.get(ref), tip);
    assert.equal(await this.generation(), generation);
    await checkWhole(this.ada, this.remote);
  }

  async generation(): Promise<number> {
    const store = await storeOf(this.remote);
    const { manifest } = (await new GitStore(store).read()) ?? assert.fail();
    await store.close();
    return manifest.generation;
  }
}

const MAIN = ["refs/heads/main"];
const PUT = { method: "PUT" } as const;

describe("a commit that is not answered", { concurrency: 3 }, () => {
  // The one that takes longest is not to be the last one.
  test("it comes after the pusher has given up: who pushes again is told that it is there", async (t) => {
    const scene = await Scene.create(t);
    const { ada, remote } = scene;
    const gate = new Gate();
    const before = await refsOf(ada, remote);
    const end = scene.plan({ ...PUT, times: 1000 }, { hold: () => gate.pass() });
    const failed = await scene.push("origin", "main");
    end();
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /^fatal: storing .* nothing came or went .*; it may still come through: look .*$/m);
    assert.deepEqual(await refsOf(ada, remote), before);
    gate.open();
    await eventually("all are answered", () => scene.swaps.every(({ status }) => status !== 0));
    assert.equal(scene.swaps.filter(({ status }) => status === 200).length, 2, "the first commit, and one of these");
    const again = await ada.tryGit("work", "push", "origin", "main");
    assert.match(again.stderr, /^Everything up-to-date$/m);
    assert.equal((await refsOf(ada, remote)).get("refs/heads/main"), await ada.git("work", "rev-parse", "main"));
    assert.equal(await scene.generation(), 2);
    await checkWhole(ada, remote);
  });

  for (const [how, args, refs] of [
    ["a push", ["origin", "main"], MAIN],
    [
      "an atomic push of three branches",
      ["--atomic", "origin", "main", "main:a", "main:b"],
      [...MAIN, "refs/heads/a", "refs/heads/b"],
    ],
  ] as const) {
    test(`${how} is done, and nothing ever says so: it is found, and told once`, async (t) => {
      const scene = await Scene.create(t);
      const before = scene.swaps.length;
      scene.plan(PUT, { holdAnswer: NEVER });
      await scene.assertPushed(await scene.push(...args), refs, 2);
      assert.equal(scene.swaps.length, before + 1, "and not tried again");
    });

    test(`${how} is done, nothing says so, and somebody has built on it: it is found in the log`, async (t) => {
      const scene = await Scene.create(t);
      const { ada, remote } = scene;
      const gate = new Gate();
      // The answer and the look for what became of it wait until another has pushed.
      scene.plan(PUT, { holdAnswer: () => gate.pass().then(NEVER) });
      scene.plan({ method: "HEAD" }, { hold: () => gate.pass() });
      const pushed = scene.push(...args);
      await gate.reached;
      await ada.git("work", "push", "--quiet", remote.url, "main~1:refs/heads/other");
      gate.open();
      await scene.assertPushed(await pushed, refs, 3);
      assert.ok((await refsOf(ada, remote)).has("refs/heads/other"));
    });
  }

  test("it cannot be looked for at once either: it is found by its transaction", async (t) => {
    const scene = await Scene.create(t);
    scene.plan({ ...PUT, times: 5 }, { holdAnswer: NEVER });
    scene.plan({ method: "HEAD", times: 100 }, { answer: { status: 500, code: "InternalError" } });
    await scene.assertPushed(await scene.push("origin", "main"), MAIN, 2);
  });

  test("the answer comes when nobody waits for it any more", async (t) => {
    const scene = await Scene.create(t);
    const gate = new Gate();
    scene.plan(PUT, { holdAnswer: () => gate.pass() });
    const pushed = await scene.push("origin", "main");
    gate.open();
    await scene.assertPushed(pushed, MAIN, 2);
  });

  test("it is sent again, and what was sent first comes after that: it changes nothing", async (t) => {
    const scene = await Scene.create(t);
    const gate = new Gate();
    scene.plan(PUT, { hold: () => gate.pass() });
    const pushed = await scene.push("origin", "main");
    await gate.reached;
    await scene.ada.commit("work", "three");
    await scene.ada.git("work", "push", "--quiet", "origin", "main");
    const late = scene.swaps.find(({ status }) => status === 0) ?? assert.fail();
    gate.open();
    await eventually("the store has answered", () => late.status !== 0);
    assert.equal(late.status, 412);
    await scene.assertPushed(pushed, MAIN, 3);
  });
});
