import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";
import { AzureServer } from "./azure-server.ts";
import { GcsServer } from "./gcs-server.ts";
import { requireService } from "./require.ts";
import { S3Server } from "./s3-server.ts";

/** A store in a cloud of the test's own. */
export interface CloudStore {
  /** As `--store` takes it. */
  readonly url: string;
  /** What a server needs to get there. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** How each kind of store is had; undefined, and the test skipped, where that is impossible. */
export const CLOUDS: Readonly<Record<"S3" | "Google" | "Azure", (t: TestContext) => Promise<CloudStore | undefined>>> =
  {
    async S3(t) {
      if ((await requireService(t, "versitygw")) === undefined) return undefined;
      const server = kept(t, await S3Server.start());
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
