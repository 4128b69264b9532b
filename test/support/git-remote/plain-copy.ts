import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { TestContext } from "node:test";
import { serveHttp } from "../http-server.ts";
import { type Remote, storeOf } from "./places.ts";

/** Copies all that a store has into a folder, as anybody's tool for copying would. */
export async function copyDown(remote: Remote, folder: string): Promise<void> {
  const store = await storeOf(remote);
  for await (const { key } of store.list("")) {
    const { body } = await store.get(key);
    await mkdir(dirname(join(folder, key)), { recursive: true });
    await writeFile(join(folder, key), body);
  }
  await store.close();
}

/** A web server that knows of files and of nothing else. @returns the folder's address */
export async function serveFiles(t: TestContext, folder: string): Promise<string> {
  const port = await serveHttp(t, async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const file = createReadStream(join(folder, decodeURIComponent(pathname)));
    file.once("error", () => response.writeHead(404).end());
    await pipeline(file, response).catch(() => undefined);
  });
  return `http://127.0.0.1:${port}`;
}
