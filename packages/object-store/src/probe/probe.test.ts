import assert from "node:assert/strict";
import { test } from "node:test";
import { listKeys } from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { Layer } from "../layers/layer.ts";
import { MemoryStore } from "../memory/store.ts";
import type { ObjectStore } from "../port.ts";
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
