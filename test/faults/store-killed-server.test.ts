import assert from "node:assert/strict";
import { send } from "../support/http.ts";
import { MultipartClient } from "../support/multipart-client.ts";
import { Gate } from "../support/proxy.ts";
import type { Fault, Target } from "../support/s3-test-server/faults.ts";
import { seededObject, type SeededObject } from "../support/seeded-objects.ts";
import type { Server } from "../support/server.ts";
import { DirectClient } from "./support/direct.ts";
import { isThere } from "./support/downloads.ts";
import { S3Scene } from "./support/s3-scene.ts";
import { story } from "./support/story.ts";

const MIB = 1024 ** 2;
const SMALL = 100_000;
/** In two parts, when it is the client who makes them. */
const IN_TWO = 5 * MIB + 1000;
/** In two parts, when it is the server. */
const LARGE = 8 * MIB + 1000;
const CONFIG = {
  partSize: "5MiB",
  multipartThreshold: "5MiB",
  transferRules: [{ repositories: "direct/**", transfer: "direct" }],
};
const WAITING = /^holdall-incoming\//;
const OBJECTS = /^objects\//;

/** How a client uploads. Repeated, it goes on. @throws when the server goes away */
const WAYS = {
  async basic(server, repository, { bytes }) {
    await server.user().upload(repository, bytes);
  },
  async parts(server, repository, object) {
    const client = new MultipartClient(server.lfsUrl(repository));
    if ((await client.batch(object)).objects[0]?.actions !== undefined) await client.upload(object);
  },
  /** As git-lfs does with lfs.tustransfers. */
  async tus(server, repository, object) {
    const client = new MultipartClient(server.lfsUrl(repository), ["tus", "basic"]);
    const action = (await client.batch(object)).objects[0]?.actions?.upload;
    if (action === undefined) return;
    const { pathname, search } = new URL(action.href);
    const at = { port: server.port, path: pathname + search, ownConnection: true };
    const tus = { "Tus-Resumable": "1.0.0" };
    const head = await send({ ...at, method: "HEAD", headers: tus });
    const offset = Number(head.headers["upload-offset"]);
    const body = object.bytes.subarray(offset);
    if (body.length === 0) return;
    const headers = { ...tus, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    assert.equal((await send({ ...at, method: "PATCH", headers, body })).status, 204);
  },
  /** As git-lfs does where bytes go to the store and not to the server. */
  async direct(server, repository, object) {
    await new DirectClient(server, repository).upload(object);
  },
} satisfies Readonly<Record<string, (server: Server, repository: string, object: SeededObject) => Promise<void>>>;

interface Moment {
  /** When the server is killed. */
  readonly when: string;
  readonly way: keyof typeof WAYS;
  readonly repository?: "direct/app";
  readonly size: number;
  /** The request that is not answered any more. */
  readonly target: Target;
  /** Whether the store has done it. */
  readonly done: boolean;
  /** Whether the object is there for everybody before the client comes again. */
  readonly linked?: boolean;
  /** Keys of unfinished uploads that nobody needs any more: swept when they are a day old. */
  readonly leaves?: RegExp;
  /** Whether an upload waits that nobody will ask for: removed when it is two days old. */
  readonly waits?: boolean;
}

const BASIC: readonly Moment[] = [
  {
    when: "a small object is stored",
    way: "basic",
    size: SMALL,
    target: { operation: "PutObject", key: OBJECTS },
    done: true,
  },
  {
    when: "a part of a large object is on its way",
    way: "basic",
    size: LARGE,
    target: { operation: "UploadPart", key: OBJECTS, skip: 1 },
    done: false,
    leaves: OBJECTS,
  },
  {
    when: "a large object is complete",
    way: "basic",
    size: LARGE,
    target: { operation: "CompleteMultipartUpload", key: OBJECTS },
    done: true,
  },
];

const IN_PARTS = { way: "parts", size: IN_TWO } as const;
const JOINED: Moment = {
  ...IN_PARTS,
  when: "the parts are joined",
  target: { operation: "CompleteMultipartUpload", key: WAITING },
  done: true,
};
const COPYING: Moment = {
  ...IN_PARTS,
  when: "the object is being copied to its place",
  target: { operation: "UploadPartCopy", key: OBJECTS },
  done: true,
  leaves: OBJECTS,
};
const COPIED: Moment = {
  ...IN_PARTS,
  when: "the object is at its place and not linked",
  target: { operation: "CompleteMultipartUpload", key: OBJECTS },
  done: true,
};
const LINKED: Moment = {
  ...IN_PARTS,
  when: "the object is linked",
  target: { operation: "DeleteObject", key: WAITING },
  done: false,
  linked: true,
  waits: true,
};

const SENT: Moment = {
  when: "a small object has been sent and is to be linked",
  way: "direct",
  repository: "direct/app",
  size: SMALL,
  target: { operation: "HeadObject", key: OBJECTS },
  done: true,
};

const MOMENTS: readonly Moment[] = [
  ...BASIC,
  JOINED,
  COPYING,
  COPIED,
  LINKED,
  { ...COPIED, way: "tus" },
  { ...JOINED, repository: "direct/app" },
  SENT,
];

story("S3: what a server leaves that is killed in an upload, the next batch ends", async (t) => {
  const scene = await S3Scene.start(t, { config: CONFIG });
  for (const [seed, moment] of MOMENTS.entries()) {
    await t.test(`${moment.way}, ${moment.repository ?? "proxy/app"}: ${moment.when}`, () =>
      assertHeals(scene, moment, seed),
    );
  }
});

async function assertHeals(scene: S3Scene, moment: Moment, seed: number): Promise<void> {
  const { s3, server } = scene;
  const { way, repository = "proxy/app", size, target, done, linked = false, leaves, waits = false } = moment;
  const object = seededObject(seed, size);
  const before = { unfinished: scene.unfinished.length, waiting: (await scene.contents()).waiting.length };
  const gate = new Gate();
  const hold: Fault = done ? { holdAnswer: () => gate.pass() } : { hold: () => gate.pass() };
  s3.fault(target, hold);

  const interrupted = assert.rejects(WAYS[way](server, repository, object));
  await gate.reached;
  await server.kill();
  await interrupted;
  await server.restart();

  // Whatever is visible there has its bytes, and for users it is there only when it is linked.
  await scene.contents();
  assert.equal(await isThere(server.user(), repository, object), linked);

  const asked = await scene.askedDuring(() => WAYS[way](server, repository, object));
  const after = await scene.contents();
  assert.ok(after.oids.includes(object.oid));
  assert.ok(await isThere(server.user(), repository, object));
  if (way === "parts" || way === "tus") assert.equal(asked["UploadPart"], undefined, "no part is sent again");
  assert.equal(after.waiting.length - before.waiting, waits ? 1 : 0);
  const left = scene.unfinished.slice(before.unfinished);
  assert.equal(left.length, leaves === undefined ? 0 : 1);
  for (const key of left) assert.match(key, leaves ?? /^$/);
}
