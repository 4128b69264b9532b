import type { TestContext } from "node:test";
import { CLOUDS, type CloudStore } from "../../support/cloud-stores.ts";
import type { LfsUser } from "../../support/lfs-user.ts";
import { Server } from "../../support/server.ts";
import { StoreLine } from "./store-line.ts";

export type Cloud = keyof typeof CLOUDS;

export const EACH_CLOUD: readonly Cloud[] = ["S3", "Google", "Azure"];

/** A server in front of a store in a cloud, at the end of a line that may be bad. */
export interface CloudScene {
  readonly cloud: Cloud;
  /** As somebody sees it who has a line of their own. */
  readonly store: CloudStore;
  readonly line: StoreLine;
  readonly server: Server;
  readonly user: LfsUser;
}

/**
 * @param config of the server, beside `store`
 * @returns undefined, and the test is skipped, where there can be no such store
 */
export async function startCloudScene(
  t: TestContext,
  cloud: Cloud,
  config: Readonly<Record<string, unknown>> = {},
): Promise<CloudScene | undefined> {
  const store = await CLOUDS[cloud](t);
  if (store === undefined) return undefined;
  const line = await StoreLine.start(t, store);
  const { url, env } = line.store;
  const server = await Server.start(t, { config: { ...config, store: url }, env });
  return { cloud, store, line, server, user: server.user() };
}
