import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { type GcsServer, sharedGcsServer } from "../../../../test/support/gcs-server.ts";
import {
  assertAbsent,
  assertBytes,
  bodyOf,
  bytesOf,
  collect,
  failingBody,
  getBytes,
  key,
  MiB,
  putBytes,
  readBody,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError, type StorageErrorCode } from "../errors.ts";
import { parseKey } from "../key.ts";
import { BadLine, cutAfter, type Fault, type Passing } from "./bad-line.ts";
import { makeGcsClient } from "./client.ts";
import { GcsStore, type GcsStoreOptions } from "./store.ts";

const gcsServer = sharedGcsServer();

interface Setting {
  readonly line: BadLine;
  /** Over the line. */
  readonly store: GcsStore;
  /** Over a good one. */
  readonly direct: GcsStore;
  readonly bucket: string;
}

/** A test with a bucket at the end of a bad line. */
function faulty(
  title: string,
  run: (setting: Setting, t: TestContext) => Promise<void>,
  plan: (passing: Passing) => Fault | undefined,
  options: GcsStoreOptions = {},
): void {
  test(title, async (t) => {
    const server = await gcsServer(t);
    if (server === undefined) return;
    const bucket = await server.createBucket();
    const line = await BadLine.start(t, server.endpoint, plan);
    const over = (endpoint: string): GcsStore => new GcsStore(makeGcsClient({ kind: "gs", bucket, endpoint }), options);
    const [store, direct] = [over(line.url), over(server.endpoint)];
    t.after(() => Promise.all([store.close(), direct.close()]));
    await run({ line, store, direct, bucket }, t);
  });
}
