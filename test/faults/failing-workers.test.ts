import assert from "node:assert/strict";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Server } from "../support/server.ts";
import { story } from "./support/story.ts";

const GIVES_UP = "workers keep ending before they serve: the server stops";

const SPOILERS: readonly { what: string; done: (data: string) => Promise<void>; said: RegExp }[] = [
  {
    what: "its secret is damaged",
    done: (data) => writeFile(join(data, "secret"), "short\n"),
    said: /\/secret: is damaged, it holds no secret: remove it/,
  },
  {
    what: "its database is gone and a folder in its place",
    done: async (data) => {
      const database = join(data, "holdall.db");
      await rename(database, `${database}.away`);
      await mkdir(database);
    },
    said: /holdall\.db is a folder, where the database should be: move it away/,
  },
];

for (const { what, done, said } of SPOILERS) {
  story(`a server whose new workers cannot serve because ${what} says so and ends with exit code 1`, async (t) => {
    const server = await Server.start(t, { config: { workers: 2 } });
    const workers = await server.untilLogged("worker serves", 2);
    await done(server.data);
    for (const { pid } of workers) process.kill(pid, "SIGKILL");

    assert.deepEqual(await server.end, { code: 1, signal: null });
    const [line] = await server.untilLogged(GIVES_UP);
    assert.match(line?.text ?? "", said);
    assert.equal(server.logged(GIVES_UP).length, 1);
    assert.deepEqual(server.unlogged(), []);
  });
}
