import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { seededBytes } from "../support/content.ts";
import { Mortal } from "../support/git-remote/mortal.ts";
import { Person } from "../support/git-remote/person.ts";
import type { Remote } from "../support/git-remote/places.ts";
import { leavesUntouched } from "../support/git-remote/untouched.ts";
import { Gate } from "../support/proxy.ts";
import { said } from "../support/run.ts";
import type { Fault, Target } from "../support/s3-test-server/faults.ts";
import type { Operation } from "../support/s3-test-server/operations.ts";
import { type Recorded, S3TestServer } from "../support/s3-test-server/server.ts";

const MIB = 1024 ** 2;
/** More than two parts. */
const LARGE = seededBytes(1, 20 * MIB);
const PARTS = 3;

let s3: S3TestServer;
before(async () => {
  s3 = await S3TestServer.start();
});
after(async () => {
  await s3[Symbol.asyncDispose]();
});

/** Somebody with a large commit that is not pushed yet. */
class Scene {
  readonly remote: Remote;
  readonly ada: Person;
  readonly bucket: string;

  private constructor(bucket: string, ada: Person) {
    this.bucket = bucket;
    this.remote = { url: `s3://${bucket}/${bucket}`, env: s3.env };
    this.ada = ada;
  }

  static async create(t: TestContext): Promise<Scene> {
    const scene = new Scene(await s3.createBucket(), await Person.create(t, { env: s3.env }));
    await scene.ada.init("work", scene.remote);
    await scene.ada.git("work", "config", "core.compression", "0");
    await scene.ada.commit("work", "large", LARGE);
    return scene;
  }

  /** From now on requests for packs meet it. @returns what ends that */
  plan(target: Omit<Target, "key">, fault: Fault): () => void {
    return s3.fault({ ...target, key: new RegExp(`^${this.bucket}/.*\\.(?:pack|bundle)$`) }, fault);
  }

  /** Requests of one kind. */
  asked(operation: Operation): readonly Recorded[] {
    return s3.requests.filter((one) => one.bucket === this.bucket && one.operation === operation);
  }

  /** What is in the bucket, and what has been begun. */
  get left(): { readonly objects: readonly string[]; readonly uploads: number } {
    const { objects, uploads } = s3.look(this.bucket);
    return { objects: [...objects.keys()], uploads: uploads.size };
  }

  async assertPushed(folder = "copy"): Promise<void> {
    assert.equal(this.left.uploads, 0);
    await this.ada.clone(folder, this.remote);
    assert.equal(await this.ada.git(folder, "rev-parse", "HEAD"), await this.ada.git("work", "rev-parse", "main"));
    await this.ada.git(folder, "fsck", "--strict");
  }
}

const PART = { operation: "UploadPart" } as const;

describe("a pack that goes in parts", { concurrency: 2 }, () => {
  test("each part goes once, and a clone has all of it", async (t) => {
    const scene = await Scene.create(t);
    await scene.ada.git("work", "push", "--quiet", "origin", "main");
    const counts = (["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"] as const).map(
      (operation) => scene.asked(operation).length,
    );
    assert.deepEqual(counts, [1, PARTS, 1]);
    await scene.assertPushed();
  });

  for (const [what, target, fault, parts] of [
    [
      "a part that the store fails to take",
      { ...PART, skip: 1 },
      { answer: { status: 500, code: "InternalError" } },
      4,
    ],
    ["a part whose connection breaks", { ...PART, skip: 1 }, { cutAfter: MIB }, 4],
    ["a part whose answer is lost", PART, { lose: true }, 4],
    [
      "every part, for which the store is busy once",
      { ...PART, times: PARTS },
      { answer: { status: 503, code: "SlowDown" } },
      6,
    ],
    ["the completion, whose answer is lost", { operation: "CompleteMultipartUpload" }, { lose: true }, PARTS],
  ] as const satisfies readonly (readonly [string, Omit<Target, "key">, Fault, number])[]) {
    test(`sent again, and nothing else is: ${what}`, async (t) => {
      const scene = await Scene.create(t);
      scene.plan(target, fault);
      await scene.ada.git("work", "push", "--quiet", "origin", "main");
      assert.equal(scene.asked("UploadPart").length, parts);
      assert.equal(scene.asked("CreateMultipartUpload").length, 1);
      await scene.assertPushed();
    });
  }

  for (const layout of ["packs", "bundles"]) {
    test(`${layout}: a part that never comes through ends the push in one line, and nothing is left of it`, async (t) => {
      const scene = await Scene.create(t);
      const { ada, remote } = scene;
      const end = scene.plan({ ...PART, skip: 1, times: 1000 }, { answer: { status: 501, code: "NotImplemented" } });
      const url = `${remote.url}?layout=${layout}`;
      await leavesUntouched(ada, "work", async () => {
        const push = await ada.tryGit("work", "push", url, "main");
        assert.notEqual(push.code, 0);
        assert.equal(said(push).match(/storing part \d of .* failed: NotImplemented/g)?.length, 1, said(push));
      });
      assert.equal(scene.left.uploads, 0);
      assert.ok(
        !scene.left.objects.some((key) => /\.(?:pack|bundle|lock)$|manifest/.test(key)),
        scene.left.objects.join(),
      );
      end();
      await ada.git("work", "push", "--quiet", url, "main");
      await scene.assertPushed();
    });

    test(`${layout}: nothing is left of a push that is interrupted within a part`, async (t) => {
      const scene = await Scene.create(t);
      const { ada, remote } = scene;
      const gate = new Gate();
      const end = scene.plan({ ...PART, skip: 1 }, { hold: () => gate.pass() });
      const url = `${remote.url}?layout=${layout}`;
      await leavesUntouched(ada, "work", async () => {
        const push = await Mortal.start(ada, "work", "push", url, "main");
        await gate.reached;
        assert.equal(scene.left.uploads, 1);
        push.interrupt();
        await push.gone();
      });
      end();
      assert.equal(scene.left.uploads, 0);
      gate.open();
      await ada.git("work", "push", "--quiet", url, "main");
      await scene.assertPushed();
    });
  }
});
