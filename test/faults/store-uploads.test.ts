import assert from "node:assert/strict";
import { describe } from "node:test";
import { MultipartClient } from "../support/multipart-client.ts";
import { Gate } from "../support/proxy.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import { type CloudScene, EACH_CLOUD, startCloudScene } from "./support/cloud-scene.ts";
import { DirectClient, said, type Said, sendChanged } from "./support/direct.ts";
import { isThere } from "./support/downloads.ts";
import { contentsOf } from "./support/store-contents.ts";
import { story } from "./support/story.ts";

const PART = 5 * 1024 ** 2;
const CONFIG = {
  partSize: "5MiB",
  multipartThreshold: "5MiB",
  transferRules: [{ repositories: "direct/**", transfer: "direct" }],
};
const SMALL = 100_000;
const IN_TWO = PART + 1000;

/** What is to be uploaded, and goes wrong before it is. */
interface Wanted {
  readonly repository: "proxy/app" | "direct/app";
  readonly object: SeededObject;
  /** As long as the object. */
  readonly other: SeededObject;
}

type Trouble = (scene: CloudScene, wanted: Wanted) => Promise<void>;

function mustSucceed({ status, text }: Said): void {
  assert.ok(status >= 200 && status < 300, `${status} ${text}`);
}

interface Offer {
  /** Parts that are to be sent, by number. */
  readonly missing: readonly number[];
  /** @param bytes of an object that the part is cut from */
  readonly send: (number: number, bytes: Buffer) => Promise<Said>;
  /** Sends bytes of the second object with the digest of the first one's. */
  readonly sendChanged: (number: number, before: Buffer, after: Buffer) => Promise<Said>;
  readonly commit: () => Promise<Said>;
  readonly verify: () => Promise<Said>;
}

async function offerOf(client: MultipartClient, object: SeededObject): Promise<Offer> {
  const { parts = [], commit, verify } = (await client.actions(object)) ?? assert.fail("there is nothing to do");
  assert.ok(verify !== undefined);
  const part = (number: number): (typeof parts)[number] =>
    parts.find(({ pos }) => pos === (number - 1) * PART) ?? assert.fail(`part ${number} is not asked for`);
  return {
    missing: parts.map(({ pos }) => pos / PART + 1),
    send: (number, bytes) => said(client.sendPart(part(number), bytes)),
    sendChanged: (number, before, after) => sendChanged(part(number), before, after),
    commit: () => said(client.commit(commit ?? assert.fail("there is nothing to join"))),
    verify: () => said(client.verify(verify, object)),
  };
}

/** What is missing or wrong in an upload in parts is asked for again. */
const partsMissingOrWrong: Trouble = async ({ cloud, server, store }, { repository, object, other }) => {
  const proxied = repository === "proxy/app";
  const client = new MultipartClient(server.lfsUrl(repository));
  const before = await contentsOf(store);

  const first = await offerOf(client, object);
  assert.deepEqual(first.missing, [1, 2]);
  mustSucceed(await first.send(2, object.bytes));
  const short = await first.send(1, object.bytes.subarray(0, PART - 1));
  if (proxied) assert.equal(short.status, 400);
  // fake-gcs-server looks at no digest.
  if (proxied || cloud !== "Google") {
    assert.equal((await first.sendChanged(1, object.bytes, other.bytes)).status, 400);
  }
  for (const call of [first.commit, first.verify]) {
    const { status, text } = await call();
    assert.equal(status, 409);
    assert.match(text, /1 of the 2 parts of /);
  }

  // The right number of bytes, and the wrong ones: nobody sees that before they are all together.
  const second = await offerOf(client, object);
  assert.deepEqual(second.missing, [1]);
  mustSucceed(await second.send(1, other.bytes));
  mustSucceed(await second.commit());
  const { status, text } = await second.verify();
  assert.equal(status, 400);
  assert.match(text, /it was removed/);
  assert.deepEqual(await contentsOf(store), before);

  const third = await offerOf(client, object);
  assert.deepEqual(third.missing, [1, 2]);
  for (const number of third.missing) mustSucceed(await third.send(number, object.bytes));
  // Once more is no harm.
  for (const call of [third.commit, third.commit, third.verify, third.verify]) mustSucceed(await call());
};

/** Where the store cannot check it, `verify` does. */
const anotherBody: Trouble = async ({ server, store }, { repository, object, other }) => {
  const client = new DirectClient(server, repository);
  const before = await contentsOf(store);
  const wrong = (await client.offer(object)) ?? assert.fail();
  mustSucceed(await client.send(wrong.upload, other.bytes));
  assert.equal((await contentsOf(store)).waiting.length, before.waiting.length + 1);

  const { status, text } = await client.verify(wrong.verify, object);
  assert.equal(status, 400);
  assert.match(text, /it was removed/);
  assert.deepEqual(await contentsOf(store), before);
  assert.equal((await client.verify(wrong.verify, object)).status, 404, "nothing has come");
  await client.upload(object);
};

/** Kills the server when the store has done the first thing that this has it do, and before it says so. */
async function killedIn({ line, server }: CloudScene, call: () => Promise<unknown>): Promise<void> {
  const gate = new Gate();
  line.trouble = {
    download: async function* ({ method }, body) {
      if (method !== "GET" && method !== "HEAD") await gate.pass();
      yield* body;
    },
  };
  const interrupted = assert.rejects(call());
  await gate.reached;
  await server.kill();
  await interrupted;
  gate.open();
  line.trouble = {};
  await server.restart();
}

const killedInCommit: Trouble = async (scene, { repository, object }) => {
  const { server, store, user } = scene;
  const client = new MultipartClient(server.lfsUrl(repository));
  const offer = await offerOf(client, object);
  for (const number of offer.missing) mustSucceed(await offer.send(number, object.bytes));
  await killedIn(scene, offer.commit);
  await contentsOf(store);
  assert.equal(await isThere(user, repository, object), false);
  assert.deepEqual(await client.upload(object), [], "no part is sent again");
};

const killedInVerify: Trouble = async (scene, { repository, object }) => {
  const { server, store, user } = scene;
  const client = new DirectClient(server, repository);
  const { upload, verify } = (await client.offer(object)) ?? assert.fail();
  mustSucceed(await client.send(upload, object.bytes));
  await killedIn(scene, () => client.verify(verify, object));
  assert.ok((await contentsOf(store)).oids.includes(object.oid), "the store has it");
  assert.equal(await isThere(user, repository, object), false, "and nobody else");
  mustSucceed(await client.verify(verify, object));
};

interface Case {
  readonly what: string;
  readonly trouble: Trouble;
  readonly repository: Wanted["repository"];
  /** Bytes. */
  readonly size: number;
}

const PARTS = { trouble: partsMissingOrWrong, size: IN_TWO } as const;
const DIRECT = { repository: "direct/app" } as const;
const OF_EACH: readonly Case[] = [{ ...DIRECT, what: "parts that are missing or wrong, directly", ...PARTS }];
/** What the server itself refuses, it refuses whatever the store. */
const OF_S3: readonly Case[] = [
  ...OF_EACH,
  { repository: "proxy/app", what: "parts that are missing or wrong, through the server", ...PARTS },
];
/** S3 checks digests itself, and has objects sent to their places: of that, other stories tell. */
const OF_OTHERS: readonly Case[] = [
  ...OF_EACH,
  { ...DIRECT, what: "another body than the object's", trouble: anotherBody, size: SMALL },
  { ...DIRECT, what: "a server that is killed when parts are joined", trouble: killedInCommit, size: IN_TWO },
  { ...DIRECT, what: "a server that is killed when the object is copied", trouble: killedInVerify, size: SMALL },
];

describe("uploads that go wrong", { concurrency: true }, () => {
  for (const cloud of EACH_CLOUD) {
    story(`${cloud}: the object comes to be there in the end, and nothing else stays`, async (t) => {
      const scene = await startCloudScene(t, cloud, CONFIG);
      if (scene === undefined) return;
      const there: string[] = [];
      for (const { what, trouble, repository, size } of cloud === "S3" ? OF_S3 : OF_OTHERS) {
        await t.test(`${cloud}: ${what}`, async () => {
          const [object, other] = [seededObject(2 * there.length, size), seededObject(2 * there.length + 1, size)];
          await trouble(scene, { repository, object, other });
          there.push(object.oid);
          assert.ok(await isThere(scene.user, repository, object));
          assert.deepEqual(await contentsOf(scene.store), { oids: there.toSorted(), waiting: [] });
        });
      }
    });
  }
});
