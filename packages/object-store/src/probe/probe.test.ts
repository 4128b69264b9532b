import assert from "node:assert/strict";
import { test } from "node:test";
import { serveHttp } from "../../../../test/support/http-server.ts";
import { bodyOf, listKeys } from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { Layer } from "../layers/layer.ts";
import { MemoryStore } from "../memory/store.ts";
import { parseKey, type ObjectKey } from "../key.ts";
import type { Capabilities, ObjectStore, PresignOptions, SignedRequest } from "../port.ts";
import { probeStore } from "./probe.ts";

const WRITERS = { writers: 16 };

function outcomes(report: Awaited<ReturnType<typeof probeStore>>): Record<string, string> {
  return Object.fromEntries(report.checks.map(({ name, outcome, reason }) => [name, reason ?? outcome]));
}

const fitFor = (report: Awaited<ReturnType<typeof probeStore>>): string[] =>
  report.jobs.filter(({ fit }) => fit).map(({ job }) => job);

test("a good store passes what it claims, and nothing of the probe stays", async () => {
  const store = new MemoryStore();
  const heard: string[] = [];
  const report = await probeStore(store, { ...WRITERS, onCheck: (name) => heard.push(name) });
  assert.deepEqual(
    report.checks.filter(({ outcome }) => outcome === "works").map(({ name }) => name),
    heard,
  );
  assert.deepEqual(
    report.checks.filter(({ outcome }) => outcome === "unclaimed").map(({ name }) => name),
    ["presigned GET", "presigned PUT", "presigned PUT, digest", "multipart", "presigned parts"],
  );
  assert.deepEqual(fitFor(report), [
    "LFS server, bytes through the server",
    "Git remote, one writer at a time",
    "Git remote, any number of writers",
  ]);
  assert.deepEqual(await listKeys(store), []);
});

/** As some servers do that speak S3. */
class IgnoresConditions extends Layer {
  override put(...[key, body, { ifAbsent: _absent, ifMatch: _match, ...o }]: Parameters<ObjectStore["put"]>) {
    return this.inner.put(key, body, o);
  }
}

test("a store that ignores conditions is found out, and is no place for several writers", async () => {
  const report = await probeStore(new IgnoresConditions(new MemoryStore()), WRITERS);
  assert.equal(outcomes(report)["conditional create"], "16 of 16 writers at once created one object");
  assert.equal(outcomes(report)["compare-and-swap"], "16 of 16 writers at once replaced one version");
  assert.deepEqual(report.jobs.at(-1), {
    job: "Git remote, any number of writers",
    fit: false,
    lacks: ["conditional create", "compare-and-swap"],
  });
  assert.ok(fitFor(report).includes("LFS server, bytes through the server"));
});

/** Looks, and then writes: right for one writer, wrong for two. */
class LooksFirst extends Layer {
  override async put(...[key, body, { ifAbsent, ...o }]: Parameters<ObjectStore["put"]>) {
    if (ifAbsent === true && (await this.inner.stat(key)) !== undefined) throw new StorageError("conflict", "there");
    await new Promise(setImmediate);
    return await this.inner.put(key, body, o);
  }
}

test("a store that looks before it writes loses the race", async () => {
  const report = await probeStore(new LooksFirst(new MemoryStore()), WRITERS);
  assert.match(outcomes(report)["conditional create"] ?? "", /^\d+ of 16 writers at once created one object$/);
});

class Denies extends Layer {
  override async put(): Promise<never> {
    throw new StorageError("denied", "AccessDenied: grant s3:PutObject");
  }
}

test("a store that refuses is fit for nothing, and says why in its own words", async () => {
  const report = await probeStore(new Denies(new MemoryStore()), WRITERS);
  assert.equal(outcomes(report)["write"], "AccessDenied: grant s3:PutObject");
  assert.deepEqual(fitFor(report), []);
});

/** Signs requests to a server that takes whatever is sent. */
class Signs extends Layer {
  readonly #port: number;
  readonly #digest: boolean;

  constructor(inner: ObjectStore, o: { port: number; digest: boolean }) {
    super(inner);
    this.#port = o.port;
    this.#digest = o.digest;
  }

  override get capabilities(): Capabilities {
    return { ...this.inner.capabilities, presignPut: true, presignSha256: this.#digest };
  }

  override async presign(key: ObjectKey, { method }: PresignOptions): Promise<SignedRequest> {
    const url = `http://127.0.0.1:${this.#port}/${key}`;
    return { method, url, headers: {}, expiresAt: new Date() };
  }
}

test("a store that claims to check digests, and does not, is unfit for direct uploads; what claims nothing is read again", async (t) => {
  const store = new MemoryStore();
  const port = await serveHttp(t, async (request, response) => {
    const bytes = Buffer.concat(await request.toArray());
    await store.put(parseKey((request.url ?? "").slice(1)), bodyOf(bytes), { size: bytes.length });
    response.end();
  });
  const direct = "LFS server, direct uploads";
  const claiming = await probeStore(new Signs(store, { port, digest: true }), WRITERS);
  assert.equal(outcomes(claiming)["presigned PUT"], "works");
  assert.equal(outcomes(claiming)["presigned PUT, digest"], "it took bytes of another digest");
  assert.deepEqual(claiming.jobs.find(({ job }) => job === direct)?.lacks, ["presigned PUT, digest"]);
  const honest = await probeStore(new Signs(store, { port, digest: false }), WRITERS);
  assert.ok(fitFor(honest).includes(direct));
});
