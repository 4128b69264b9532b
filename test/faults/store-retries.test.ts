import assert from "node:assert/strict";
import { refusal } from "../support/messages.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { download } from "./support/downloads.ts";
import { S3Scene } from "./support/s3-scene.ts";
import { story } from "./support/story.ts";
import { assertDownloads } from "./support/uploads.ts";

// How often a store is asked, by the example of S3, whose every request is counted.

const MIB = 1024 ** 2;
const REPOSITORY = "team/app";

let seed = 0;
function small(): SeededObject {
  return seededObject((seed += 1), 200_000);
}
/** Goes in three parts. */
function large(): SeededObject {
  return seededObject((seed += 1), 16 * MIB + 1000);
}

/** Asserts that these are all that the store has, and that nothing is left of other uploads. */
async function assertHolds(scene: S3Scene, objects: readonly SeededObject[]): Promise<void> {
  const oids = objects.map(({ oid }) => oid).toSorted();
  assert.deepEqual(await scene.contents(), { oids, waiting: [] });
  assert.deepEqual(scene.unfinished, []);
  await assertDownloads(scene.user, REPOSITORY, objects);
}

story("S3: what goes wrong for a moment is nothing to clients", async (t) => {
  const scene = await S3Scene.start(t);
  const { s3, user } = scene;
  const there: SeededObject[] = [];
  const upload = async (...objects: readonly SeededObject[]): Promise<void> => {
    await Promise.all(objects.map(({ bytes }) => user.upload(REPOSITORY, bytes)));
    there.push(...objects);
  };

  for (const { status, code } of [
    { status: 503, code: "SlowDown" },
    { status: 429, code: "TooManyRequests" },
  ] as const) {
    await t.test(`a store that says ${status} ${code} twice is asked a third time`, async () => {
      const earlier = small();
      await upload(earlier);
      for (const operation of [
        "PutObject",
        "GetObject",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
      ] as const) {
        s3.fault({ operation, times: 2 }, { answer: { status, code } });
      }
      const asked = await scene.askedDuring(() =>
        Promise.all([upload(small(), large()), assertDownloads(user, REPOSITORY, [earlier])]),
      );
      assert.deepEqual(asked, {
        PutObject: [status, status, 200],
        GetObject: [status, status, 200],
        CreateMultipartUpload: [status, status, 200],
        UploadPart: [status, status, 200, 200, 200],
        CompleteMultipartUpload: [status, status, 200],
      });
    });
  }

  await t.test("a body whose connection breaks is sent again, and only the part that broke", async () => {
    s3.fault({ operation: "PutObject" }, { cutAfter: 100_000 });
    s3.fault({ operation: "UploadPart", times: 2, skip: 1 }, { cutAfter: 3 * MIB });
    const { UploadPart = [], ...others } = await scene.askedDuring(() => upload(small(), large()));
    assert.deepEqual(
      UploadPart.toSorted((a, b) => a - b),
      [0, 0, 200, 200, 200],
    );
    assert.deepEqual(others, { PutObject: [0, 200], CreateMultipartUpload: [200], CompleteMultipartUpload: [200] });
  });

  await t.test("what the store has done and could not say is done once", async () => {
    for (const operation of ["PutObject", "UploadPart", "CompleteMultipartUpload"] as const) {
      s3.fault({ operation }, { lose: true });
    }
    const asked = await scene.askedDuring(() => upload(small(), large()));
    assert.deepEqual(asked, {
      PutObject: [0],
      CreateMultipartUpload: [200],
      UploadPart: [0, 200, 200, 200],
      CompleteMultipartUpload: [0],
    });
  });

  await assertHolds(scene, there);
});

story("S3: what goes on for longer clients hear of, with nothing left of their uploads", async (t) => {
  const scene = await S3Scene.start(t);
  const { s3, server, user } = scene;
  const there = small();
  await user.upload(REPOSITORY, there.bytes);
  /** What the log says was the reason of the error that a client got. */
  const reasonOf = async (id: string): Promise<string> => {
    const [line] = await server.untilLogged(({ reqId, text }) => reqId === id && text.includes('"err":{'));
    return line?.text ?? "";
  };

  await t.test("a store that asks to slow down is asked a few times", async () => {
    const over = s3.fault(
      { operation: ["PutObject", "GetObject", "UploadPart"], times: Infinity },
      { answer: { status: 503, code: "SlowDown" } },
    );
    const asked = await scene.askedDuring(async () => {
      const answers = await Promise.all([
        user.tryUpload(REPOSITORY, small().bytes),
        user.tryUpload(REPOSITORY, large().bytes),
        download(user, REPOSITORY, there),
      ]);
      for (const answer of answers) {
        const { message, request_id: id } = refusal(429, answer);
        assert.equal(message, "the store is busy: try again");
        assert.equal(answer.headers["retry-after"], "1");
        assert.match(await reasonOf(id), / in the bucket holdall-\S+ failed: SlowDown: planted \(request /);
      }
    });
    over();
    const { PutObject, GetObject, UploadPart = [], ...others } = asked;
    assert.deepEqual(PutObject, Array(5).fill(503), "what is sent once at a time");
    assert.deepEqual(GetObject, Array(9).fill(503), "three times what the library sends three times");
    assert.ok(UploadPart.length >= 3 && UploadPart.length <= 9, "three times each, until one is given up");
    assert.deepEqual(others, { CreateMultipartUpload: [200], AbortMultipartUpload: [204] });
    await assertHolds(scene, [there]);
  });

  await t.test("a body whose connection breaks each time is given up", async () => {
    const over = [
      s3.fault({ operation: "PutObject", times: Infinity }, { cutAfter: 100_000 }),
      s3.fault({ operation: "UploadPart", times: Infinity }, { cutAfter: 3 * MIB }),
    ];
    for (const { bytes } of [small(), large()]) {
      const { request_id: id } = refusal(503, await user.tryUpload(REPOSITORY, bytes));
      assert.match(await reasonOf(id), /storing .* in the bucket holdall-\S+ failed: .*(ECONNRESET|EPIPE|hang up)/);
    }
    for (const end of over) end();
    await assertHolds(scene, [there]);
  });

  await t.test("an answer without any of its bytes is one to come back for", async () => {
    s3.fault({ operation: "GetObject" }, { truncateAfter: 0 });
    const answer = await download(user, REPOSITORY, there);
    const { request_id: id } = refusal(503, answer);
    assert.equal(answer.headers["retry-after"], "10");
    assert.match(await reasonOf(id), /broke off after 0 of 200000 bytes/);
    await assertDownloads(user, REPOSITORY, [there]);
  });

  await t.test("what was stored although nothing says so is found by the next push", async () => {
    const coming = small();
    const over = s3.fault({ operation: ["PutObject", "HeadObject"], times: Infinity }, { lose: true });
    refusal(503, await user.tryUpload(REPOSITORY, coming.bytes));
    over();
    const { oid, size } = coming;
    assert.ok((await scene.contents()).oids.includes(oid));
    assert.equal((await user.ask(REPOSITORY, "download", { oid, size })).error?.code, 404, "nobody has it");

    const asked = await scene.askedDuring(() => user.upload(REPOSITORY, coming.bytes));
    assert.deepEqual(asked, { PutObject: [412] });
    await assertHolds(scene, [there, coming]);
  });
});
