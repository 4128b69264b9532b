import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Access, ActionTokens, ANONYMOUS, defaultRules } from "@holdall/identity";
import { parseRepositoryName, type RepositoryName } from "@holdall/lfs-protocol";
import { openSqlite } from "@holdall/metadata";
import { MemoryStore, VerifyLayer, type ObjectStore } from "@holdall/object-store";
import { LfsService, type LfsEvent } from "./index.ts";

const folder = await mkdtemp(join(tmpdir(), "holdall-lfs-service-"));
const metadata = await openSqlite({ file: join(folder, "holdall.db") });
after(async () => {
  await metadata.close();
  await rm(folder, { recursive: true, force: true });
});

const events: LfsEvent[] = [];
const OID = "a".repeat(64);
const requestId = "a request";

function service(store: ObjectStore, loopback = true): LfsService {
  return new LfsService({
    store,
    layout: "shared",
    metadata,
    access: new Access(defaultRules({ loopback })),
    actionTokens: new ActionTokens({ secret: Buffer.alloc(32, 1) }),
    createRepositories: true,
    actionLifetime: 3600,
    maxBatchObjects: 3,
    onEvent: (event) => events.push(event),
  });
}

const open = service(new VerifyLayer(new MemoryStore()));

test("a store that does not check what it stores is not taken", () => {
  assert.throws(() => service(new MemoryStore()), /SHA-256/);
});

test("a batch is answered in the order of its request, each oid once", async () => {
  const objects = ["x", OID, "x", OID].map((oid, size) => ({ oid, size }));

  await assert.rejects(open.batches.batch(ANONYMOUS, name("app"), { operation: "upload", objects }), {
    code: "too-many-objects",
  });
  const outcome = await open.batches.batch(ANONYMOUS, name("app"), {
    operation: "upload",
    objects: objects.slice(0, 3),
  });

  assert.deepEqual(
    outcome.objects.map(({ oid, size, error, upload }) => [oid, size, error?.code, upload && Object.keys(upload)]),
    [
      ["x", 0, 422, undefined],
      [OID, 1, undefined, ["token"]],
    ],
  );
  assert.equal(outcome.expiresIn, 3600);
});

test("rights are looked at before the request, so that a refusal says nothing about it", async () => {
  const closed = service(new VerifyLayer(new MemoryStore()), false);
  const objects = Array.from({ length: 10 }, () => ({ oid: "x" }));

  await assert.rejects(
    closed.batches.batch(ANONYMOUS, name("app"), { operation: "upload", objects, hash_algo: "md5" }),
    {
      code: "unauthenticated",
    },
  );
  await assert.rejects(closed.locks.create(ANONYMOUS, name("app"), "../no path", { requestId }), {
    code: "unauthenticated",
  });
});

test("a grant for an upload holds no bytes back: an upload that fails is reported with the body's own error", async () => {
  const oid = { repository: name("app"), oid: OID } as Parameters<typeof open.transfers.uploadBy>[1];
  const grant = await open.transfers.uploadBy(ANONYMOUS, oid);
  const broken = new Error("the line is dead");

  await assert.rejects(open.transfers.upload(grant, throwing(broken), { length: 10, requestId }), broken);

  assert.equal(await metadata.repositories.find(name("app")), undefined);
  assert.deepEqual(events, []);
});

test("it is ready when its database and its store answer", async () => {
  await open.ready();
});

function name(text: string): RepositoryName {
  const parsed = parseRepositoryName(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

// oxlint-disable-next-line require-yield -- it is the body of an upload that fails before its first bytes
async function* throwing(error: Error): AsyncGenerator<Uint8Array> {
  throw error;
}
