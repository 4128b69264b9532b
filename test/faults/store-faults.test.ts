import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Exchange, OnTheWay } from "../support/forward.ts";
import { refusal } from "../support/messages.ts";
import { Gate } from "../support/proxy.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { type Cloud, type CloudScene, EACH_CLOUD, startCloudScene } from "./support/cloud-scene.ts";
import { beginDownload, download } from "./support/downloads.ts";
import { FORBIDDEN, SLOW_DOWN } from "./support/refusals.ts";
import { assertNoSecrets } from "./support/secrets.ts";
import { contentsOf } from "./support/store-contents.ts";
import { cutAfter } from "./support/store-line.ts";
import { story } from "./support/story.ts";
import { assertDownloads, uploadMissing } from "./support/uploads.ts";

const MIB = 1024 ** 2;
const REPOSITORY = "team/app";

/** One that goes to the store in one request, and one that goes in two parts. */
function twoObjects(seed: number): readonly [SeededObject, SeededObject] {
  return [seededObject(seed, 100_000), seededObject(seed + 1, 8 * MIB + 1000)];
}

const THERE = twoObjects(1);

/**
 * Lets something befall the store, which is over when it returns.
 * @param coming what nobody has sent yet
 * @returns what of it was uploaded meanwhile
 */
type Fault = (scene: CloudScene, coming: readonly [SeededObject, SeededObject]) => Promise<readonly SeededObject[]>;

interface Outage {
  readonly begin: (scene: CloudScene) => Promise<void> | void;
  readonly end: (scene: CloudScene) => Promise<void> | void;
  /** What clients hear. */
  readonly status: number;
  readonly message: RegExp;
  readonly retryAfter?: string;
  /** What the log says: the store's own reason, and what is to be done. */
  readonly reason: Readonly<Record<Cloud, RegExp>>;
}

/** The store does nothing for anybody. */
function outage({ begin, end, status, message: expected, retryAfter, reason }: Outage): Fault {
  return async (scene, coming) => {
    const { server, user, cloud } = scene;
    await begin(scene);
    const answers = await Promise.all([
      ...coming.map(({ bytes }) => user.tryUpload(REPOSITORY, bytes)),
      ...THERE.map((object) => download(user, REPOSITORY, object)),
    ]);
    for (const answer of answers) {
      const { message, request_id: id } = refusal(status, answer);
      assert.match(message, expected);
      assert.equal(answer.headers["retry-after"], retryAfter);
      const [logged] = await server.untilLogged(({ reqId, msg }) => reqId === id && msg === message);
      assert.match(logged?.text ?? "", reason[cloud]);
    }
    assert.equal((await user.get("healthz")).status, 200, "to restart the server would help nobody");
    await end(scene);
    assert.equal((await user.get("readyz")).status, 200);
    return [];
  };
}

const REFUSED = / failed: .*ECONNREFUSED/;
const mend = ({ line }: CloudScene): void => void (line.trouble = {});

const cannotBeReached = outage({
  begin: ({ line }) => line.cut(),
  end: ({ line }) => line.mend(),
  status: 503,
  message: /^the store does not answer: try again later/,
  retryAfter: "10",
  reason: { S3: REFUSED, Google: REFUSED, Azure: REFUSED },
});

const goesOnAskingToSlowDown = outage({
  begin: ({ line, cloud }) => void (line.trouble = { refusal: () => SLOW_DOWN[cloud] }),
  end: mend,
  status: 429,
  message: /^the store is busy: try again$/,
  retryAfter: "1",
  reason: {
    S3: / in the bucket \S+ failed: SlowDown: Please reduce your request rate\./,
    Google: / in gs:\/\/\S+ failed: 429 rateLimitExceeded /,
    Azure: / in az:\/\/\S+ failed: ServerBusy, status 503/,
  },
});

const takesRightsAway = outage({
  begin: ({ line, cloud }) => void (line.trouble = { refusal: () => FORBIDDEN[cloud] }),
  end: mend,
  status: 500,
  message: /^the store failed: tell the server's operator$/,
  reason: {
    S3: /AccessDenied: Access Denied .*; allow these credentials s3:(PutObject|GetObject|ListBucket) in the bucket/,
    Google: /403 forbidden .*; grant this identity storage\.objects\.get on the bucket/,
    Azure: /AuthorizationPermissionMismatch, status 403; .*; give the identity the role Storage Blob Data Contributor/,
  },
});

const goesAwayInTheMiddle: Fault = async ({ line, user }, [, coming]) => {
  const [, there] = THERE;
  const gates = { up: new Gate(), down: new Gate() };
  line.trouble = { upload: heldAfter(3 * MIB, gates.up), download: heldAfter(3 * MIB, gates.down) };
  const uploading = user.tryUpload(REPOSITORY, coming.bytes);
  const { rest } = await beginDownload(user, REPOSITORY, there);
  await Promise.all([gates.up.reached, gates.down.reached]);

  await line.cut();
  const { bytes, broken } = await rest;
  assert.ok(broken && bytes.equals(there.bytes.subarray(0, bytes.length)), "nobody takes a part for the whole");
  refusal(503, await uploading);

  for (const gate of [gates.up, gates.down]) gate.open();
  line.trouble = {};
  await line.mend();
  return [];
};

/** Which is nothing to clients. */
const losesAndBreaks: Fault = async ({ line, user }, [small, large]) => {
  const isWrite = ({ method }: Exchange): boolean => method !== "GET" && method !== "HEAD";
  const lost = onceFor(isWrite, cutAfter(0));
  line.trouble = { download: lost.onTheWay };
  await user.upload(REPOSITORY, small.bytes);
  const broken = onceFor(isWrite, cutAfter(MIB));
  line.trouble = { upload: broken.onTheWay };
  await user.upload(REPOSITORY, large.bytes);
  line.trouble = {};
  assert.deepEqual([lost.times(), broken.times()], [1, 1]);
  return [small, large];
};

/** Nobody takes that for whole, and clients go on from there. */
const cutsShort: Fault = async ({ cloud, line, server, user }) => {
  for (const object of THERE) {
    const cut = onceFor(({ method }) => method === "GET", cutAfter(50_000));
    line.trouble = { download: cut.onTheWay };
    const { rest } = await beginDownload(user, REPOSITORY, object);
    const { status, bytes, broken } = await rest;
    line.trouble = {};
    assert.deepEqual([status, cut.times()], [200, 1]);
    if (cloud === "Azure") {
      assert.ok(!broken && bytes.equals(object.bytes), "its adapter goes on by itself");
      continue;
    }
    assert.ok(broken && bytes.length <= 50_000);
    await server.untilLogged(
      ({ msg, text }) => msg.startsWith("an answer was cut short") && text.includes(` of ${object.size} bytes`),
    );
    const answer = await download(user, REPOSITORY, object, { Range: `bytes=${bytes.length}-` });
    assert.equal(answer.status, 206);
    assert.ok(Buffer.concat([bytes, answer.body]).equals(object.bytes));
  }
  return [];
};

const FAULTS: Readonly<Record<string, Fault>> = {
  "cannot be reached": cannotBeReached,
  "goes on asking to slow down": goesOnAskingToSlowDown,
  "takes the server's rights away": takesRightsAway,
  "goes away in the middle of transfers": goesAwayInTheMiddle,
  "loses an answer, and breaks a connection": losesAndBreaks,
  "cuts answers short": cutsShort,
};

describe("a store that fails for a time", { concurrency: true }, () => {
  for (const cloud of EACH_CLOUD) {
    story(`${cloud}: clients are told, the log says why, nothing is there by halves, and all goes on`, async (t) => {
      const scene = await startCloudScene(t, cloud);
      if (scene === undefined) return;
      const { server, store, user } = scene;
      for (const { bytes } of THERE) await user.upload(REPOSITORY, bytes);
      const there: SeededObject[] = [...THERE];
      for (const [nth, [what, befall]] of Object.entries(FAULTS).entries()) {
        await t.test(`${cloud}: a store that ${what}`, async () => {
          const coming = twoObjects(10 * (nth + 1));
          const uploaded = await befall(scene, coming);
          const { oids, waiting } = await contentsOf(store);
          assert.deepEqual(oids.toSorted(), [...there, ...uploaded].map(({ oid }) => oid).toSorted());
          assert.deepEqual(waiting, []);
          await uploadMissing(user, REPOSITORY, coming);
          await assertDownloads(user, REPOSITORY, coming);
          there.push(...coming);
        });
      }
      assertNoSecrets(server, store);
    });
  }
});

/** Holds a body back when so much of it has passed. */
function heldAfter(bytes: number, gate: Gate): OnTheWay {
  return async function* (_, body) {
    let passed = 0;
    for await (const chunk of body) {
      if (passed > bytes) await gate.pass();
      yield chunk;
      passed += chunk.length;
    }
  };
}

/** Happens to the first such body, and to no other. */
function onceFor(is: (exchange: Exchange) => boolean, what: OnTheWay): { onTheWay: OnTheWay; times: () => number } {
  let times = 0;
  return {
    times: () => times,
    onTheWay: (exchange, body) => {
      if (times > 0 || !is(exchange)) return body;
      times += 1;
      return what(exchange, body);
    },
  };
}
