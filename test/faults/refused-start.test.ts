import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serveHttp } from "../support/http-server.ts";
import { skip } from "../support/require.ts";
import { Server } from "../support/server.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { requireUnprivileged } from "../support/unprivileged.ts";
import { refusedStart } from "./support/refused-start.ts";
import { story } from "./support/story.ts";

const FREE_PORT = ["--listen", "127.0.0.1:0"];
/** One process that does all, and one that looks after others. */
const KINDS = ["1", "2"];

for (const workers of KINDS) {
  story(`a port that is taken is refused in one line, with workers: ${workers}`, async (t) => {
    const port = await serveHttp(t, async (_, response) => void response.end());
    const data = join(await temporaryFolder(t, "start"), "data");
    const line = await refusedStart(["--data", data, "--listen", `127.0.0.1:${port}`, "--workers", workers]);
    assert.equal(
      line,
      `holdall: 127.0.0.1:${port} is in use by another program: stop it, or name another address with --listen`,
    );
  });
}

story("an address that is not this machine's is refused", async (t) => {
  const data = join(await temporaryFolder(t, "start"), "data");
  for (const workers of KINDS) {
    // For documentation (RFC 5737): nobody has it.
    const line = await refusedStart(["--data", data, "--listen", "192.0.2.1:8080", "--workers", workers]);
    assert.match(line, /192\.0\.2\.1:8080 is not an address of this machine.*--listen/);
  }
});

story("a data folder that cannot be made is refused", async (t) => {
  const folder = await temporaryFolder(t, "start");
  const file = join(folder, "notes.txt");
  await writeFile(file, "Remember the milk.");
  for (const data of [file, join(file, "data")]) {
    for (const workers of KINDS) {
      const line = await refusedStart(["--data", data, ...FREE_PORT, "--workers", workers]);
      assert.match(line, /cannot write to the data folder .*notes\.txt.* \(ENOTDIR\).*--data/);
    }
  }
});

story("a data folder that this user may not write to is refused", async (t) => {
  const under = requireUnprivileged(t);
  if (under === undefined) return;
  const folder = await temporaryFolder(t, "start");
  await chmod(folder, 0o500);
  for (const data of [folder, join(folder, "data")]) {
    for (const workers of KINDS) {
      const line = await refusedStart(["--data", data, ...FREE_PORT, "--workers", workers], { under });
      assert.match(line, /cannot write to the data folder .* \(EACCES\): give this user the right to.*--data/);
    }
  }
});

story("a data folder where no folder can be made is refused at once", async (t) => {
  if (process.platform !== "linux") return skip(t, "needs /proc, in which nobody can make folders");
  assert.match(
    await refusedStart(["--data", "/proc/holdall", ...FREE_PORT]),
    /cannot write to .*\/proc\/holdall.*--data/,
  );
});

story("a store that cannot be written to is refused at the start, not at the first upload", async (t) => {
  const disk = await SmallDisk.mount(t, "1m");
  if (disk === undefined) return;
  await disk.makeReadOnly();
  const data = join(await temporaryFolder(t, "start"), "data");
  const args = ["--data", data, "--store", `file://${disk.path}`, ...FREE_PORT];
  for (const workers of KINDS) {
    const line = await refusedStart([...args, "--workers", workers], { under: disk.enter });
    assert.match(line, /cannot write to the store folder .*\(EROFS\).*mount it writable.*--store/);
  }
});

for (const workers of KINDS) {
  story(
    `a file that should hold the secret and does not is refused in one line, with workers: ${workers}`,
    async (t) => {
      const data = await temporaryFolder(t, "start");
      await writeFile(join(data, "secret"), "short\n");
      const line = await refusedStart(["--data", data, ...FREE_PORT, "--workers", workers]);
      assert.match(line, /\/secret: is damaged, it holds no secret: remove it/);
    },
  );
}

story("a second server on the same data is refused, and the first serves on", async (t) => {
  for (const workers of [1, 2]) {
    const server = await Server.start(t, { config: { workers } });
    for (const others of KINDS) {
      const line = await refusedStart(["--data", server.data, ...FREE_PORT, "--workers", others]);
      assert.equal(
        line,
        `holdall: another Holdall server is using ${server.data}: stop it, or name another folder with --data`,
      );
    }
    await server.user().upload("team/app", Buffer.from("still here"));
  }
});

story("a store URL that names no store is refused", async (t) => {
  const data = join(await temporaryFolder(t, "start"), "data");
  const line = await refusedStart(["--data", data, "--store", "ftp://example.com/lfs", ...FREE_PORT]);
  assert.match(line, /--store.*ftp:\/\/example\.com\/lfs.*file:\/\//);
});

story(
  "where others can reach the server, anonymous writing is refused unless the configuration allows it in words",
  async (t) => {
    const folder = await temporaryFolder(t, "start");
    const access = [{ who: "anyone", repositories: "**", right: "write" }];
    const file = join(folder, "holdall.yaml");
    await writeFile(file, JSON.stringify({ access }));
    const line = await refusedStart(["--data", join(folder, "data"), "--config", file, "--listen", "0.0.0.0:0"]);
    assert.match(line, /anyone may write.*allowAnonymousWrite: true/);
    // By a name that is not this machine's alone, although the address is.
    const reachable = { publicUrl: "https://lfs.example.com" };
    await Server.start(t, { config: { ...reachable, access, allowAnonymousWrite: true } });
  },
);
