import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { openStore, parseStoreUrl, type ObjectStore } from "@holdall/object-store";
import { AzureServer } from "../azure-server.ts";
import { startS3 } from "../cloud-stores.ts";
import { GcsServer } from "../gcs-server.ts";
import { requireService } from "../require.ts";
import { TemporaryFolder } from "../temporary-folder.ts";

/** An address at which nothing is yet, and what git needs to get there. */
export interface Remote {
  /** As `git remote add` takes it. */
  readonly url: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** The store that a remote is in, past git: for looking at what is there, and for changing it. */
export async function storeOf({ url, env }: Remote): Promise<ObjectStore> {
  // Where its client looks for credentials.
  Object.assign(process.env, env);
  return await openStore(parseStoreUrl(url.replace("holdall::", "")));
}

export type PlaceName = "local disk" | "S3" | "Google" | "Azure";

/** Each kind of place that a remote can be in, and how one is had: the servers are shared by all tests of a file. */
export class Places {
  readonly #held = new AsyncDisposableStack();
  readonly #started = new Map<PlaceName, Promise<() => Promise<Remote>>>();

  /** To be called at the top of a file of tests. */
  static shared(): Places {
    const places = new Places();
    after(() => places.#held.disposeAsync());
    return places;
  }

  /** A remote of the test's own. Undefined, and the test skipped, where there can be none. */
  async remote(t: TestContext, name: PlaceName): Promise<Remote | undefined> {
    const needed = NEEDED[name];
    if (needed !== undefined && (await requireService(t, needed)) === undefined) return undefined;
    let started = this.#started.get(name);
    if (started === undefined) {
      started = START[name](this.#held);
      this.#started.set(name, started);
    }
    return await (
      await started
    )();
  }
}

const NEEDED = { "local disk": undefined, S3: undefined, Google: "fake-gcs-server", Azure: "azurite" } as const;

const START: Readonly<Record<PlaceName, (held: AsyncDisposableStack) => Promise<() => Promise<Remote>>>> = {
  async "local disk"(held) {
    const { path } = held.use(await TemporaryFolder.create("stores"));
    let count = 0;
    return async () => ({ url: `holdall::file://${join(path, String((count += 1)), "repository")}`, env: {} });
  },

  async S3(held) {
    const server = held.use(await startS3());
    return async () => ({ url: `s3://${await server.createBucket()}/some/repository`, env: server.env });
  },

  async Google(held) {
    const server = await GcsServer.find();
    if ("missing" in server) throw new Error(server.missing);
    held.use(server);
    const endpoint = encodeURIComponent(server.endpoint);
    return async () => ({ url: `gs://${await server.createBucket()}/some/repository?endpoint=${endpoint}`, env: {} });
  },

  async Azure(held) {
    const server = await AzureServer.start();
    if ("missing" in server) throw new Error(server.missing);
    held.use(server);
    const { account, env } = server;
    const endpoint = encodeURIComponent(server.endpoint);
    return async () => {
      const container = await server.createContainer();
      return { url: `az://${account}/${container}/some/repository?endpoint=${endpoint}`, env };
    };
  },
};

export const PLACE_NAMES: readonly PlaceName[] = ["local disk", "S3", "Google", "Azure"];
