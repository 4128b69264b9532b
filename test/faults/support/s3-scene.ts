import type { TestContext } from "node:test";
import { atEnd } from "../../support/at-end.ts";
import type { CloudStore } from "../../support/cloud-stores.ts";
import type { LfsUser } from "../../support/lfs-user.ts";
import { S3TestServer } from "../../support/s3-test-server/server.ts";
import { Server } from "../../support/server.ts";
import { inspect, type StoreContents } from "./store-contents.ts";

const LOOKS: ReadonlySet<string> = new Set(["HeadObject", "ListObjectsV2", "ListParts"]);

export interface S3SceneOptions {
  /** Of the server, beside `store`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Who the server is to the store, when it is not whoever may do everything. */
  readonly env?: (s3: S3TestServer, bucket: string) => CloudStore["env"];
}

/** A server in front of an S3 that fails on demand. */
export class S3Scene {
  readonly s3: S3TestServer;
  readonly bucket: string;
  /** As whoever may do everything. */
  readonly store: CloudStore;
  readonly server: Server;

  private constructor(s3: S3TestServer, bucket: string, server: Server) {
    this.s3 = s3;
    this.bucket = bucket;
    this.store = { url: `s3://${bucket}`, env: s3.env };
    this.server = server;
  }

  static async start(t: TestContext, { config = {}, env = ({ env }) => env }: S3SceneOptions = {}): Promise<S3Scene> {
    const s3 = await S3TestServer.start();
    atEnd(t, () => s3[Symbol.asyncDispose]());
    const bucket = await s3.createBucket();
    const server = await Server.start(t, { config: { ...config, store: `s3://${bucket}` }, env: env(s3, bucket) });
    return new S3Scene(s3, bucket, server);
  }

  get user(): LfsUser {
    return this.server.user();
  }

  /**
   * What the store is asked while something is done, beside looks at what is there: the statuses of its answers, 0 for no
   * answer, by operation.
   */
  async askedDuring(work: () => Promise<unknown>): Promise<Record<string, number[]>> {
    const before = this.s3.requests.length;
    await work();
    const asked: Record<string, number[]> = {};
    for (const { operation = "", status } of this.s3.requests.slice(before)) {
      if (!LOOKS.has(operation)) (asked[operation] ??= []).push(status);
    }
    return asked;
  }

  /** What can be seen in the bucket, whatever the store does to others meanwhile. */
  async contents(): Promise<StoreContents> {
    const { objects } = this.s3.look(this.bucket);
    return await inspect(
      [...objects].map(([key, { etag, contents }]) => ({
        key,
        version: `${this.bucket} ${key} ${etag}`,
        read: () => contents.chunks,
      })),
    );
  }

  /** The keys of uploads in parts that are neither completed nor given up: nobody sees them, and somebody pays for them. */
  get unfinished(): readonly string[] {
    return [...this.s3.look(this.bucket).uploads.values()].map(({ key }) => key);
  }
}
