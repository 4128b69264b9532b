import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";
import { AzureServer } from "./azure-server.ts";
import { GcsServer } from "./gcs-server.ts";
import { requireService } from "./require.ts";
import { S3Server } from "./s3-server.ts";
import { S3TestServer } from "./s3-test-server/server.ts";

/** A store in a cloud of the test's own. */
export interface CloudStore {
  /** As `--store` takes it. */
  readonly url: string;
  /** What a server needs to get there. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** A server that speaks S3, whichever it is. */
export interface S3Service extends AsyncDisposable {
  readonly endpoint: string;
  /** By which programs of AWS find it and its credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes an empty bucket with a name of its own. */
  readonly createBucket: () => Promise<string>;
}

/** versitygw; where that is missing, the test server of our own. With `CI=true`, where that would go unseen, it fails. */
export async function startS3(): Promise<S3Service> {
  const isMissing = process.env["CI"] !== "true" && (await S3Server.missing()) !== undefined;
  return isMissing ? await S3TestServer.start() : await S3Server.start();
}

/** How each kind of store is had; undefined, and the test skipped, where that is impossible. */
export const CLOUDS: Readonly<Record<"S3" | "Google" | "Azure", (t: TestContext) => Promise<CloudStore | undefined>>> =
  {
    async S3(t) {
      const server = kept(t, await startS3());
      return { url: `s3://${await server.createBucket()}/some/prefix`, env: server.env };
    },

    async Google(t) {
      const service = await requireService(t, "fake-gcs-server");
      if (service === undefined) return undefined;
      const server = kept(t, await GcsServer.start(service));
      const endpoint = encodeURIComponent(server.endpoint);
      return { url: `gs://${await server.createBucket()}/some/prefix?endpoint=${endpoint}`, env: {} };
    },

    async Azure(t) {
      if ((await requireService(t, "azurite")) === undefined) return undefined;
      const started = await AzureServer.start();
      if ("missing" in started) throw new Error(started.missing);
      const server = kept(t, started);
      const endpoint = encodeURIComponent(server.endpoint);
      const container = await server.createContainer();
      return { url: `az://${server.account}/${container}/some/prefix?endpoint=${endpoint}`, env: server.env };
    },
  };

/** The clouds, and the folder that a server keeps objects in when it is not told otherwise. */
export const PLACES: Readonly<
  Record<string, (t: TestContext) => Promise<(Partial<CloudStore> & Pick<CloudStore, "env">) | undefined>>
> = { ...CLOUDS, "local disk": async () => ({ env: {} }) };

function kept<T extends AsyncDisposable>(t: TestContext, server: T): T {
  atEnd(t, async () => {
    await server[Symbol.asyncDispose]();
  });
  return server;
}
