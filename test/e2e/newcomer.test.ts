import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { Checkout } from "../support/checkout.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { CHECKOUT, cleanEnvironment } from "../support/holdall.ts";
import { withEachGitLfs } from "../support/require.ts";
import { runWell } from "../support/run.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

withEachGitLfs("clone, npm ci, npm start, paste the printed lines, push, clone", async (t, gitLfs) => {
  const folder = join(await temporaryFolder(t, "newcomer"), "holdall");
  await runWell("git", ["clone", "--quiet", CHECKOUT, folder]);
  const env = freshEnvironment();
  await runWell("npm", ["ci", "--prefer-offline"], { cwd: folder, env, timeoutSeconds: 240 });
  const printed = await npmStart(t, folder, env);
  const lines = printed.filter((line) => line.startsWith("    git ")).map((line) => line.slice(4));
  assert.notEqual(lines.length, 0, `nothing to paste in:\n${printed.join("\n")}`);

  const ada = await GitUser.create(t, "ada", gitLfs, { lfsInstall: false });
  const remote = await bareRepository(t);
  await ada.git(["init", "--quiet", "mine"]);
  const mine = new Checkout(ada, join(ada.home, "mine"));
  await runWell("sh", ["-e"], { cwd: mine.folder, env: ada.env, input: lines.join("\n") });
  await mine.git("remote", "add", "origin", remote);
  await mine.writeSeeded("a.bin", 1, 5000);
  await mine.commitAll("First");
  await mine.push();

  assert.deepEqual(await (await ada.clone(remote)).files(), await mine.files());
});

/** This process's environment without what `npm test` added to it: a newcomer's node and npm are the machine's. */
function freshEnvironment(): NodeJS.ProcessEnv {
  const env = cleanEnvironment();
  for (const key of Object.keys(env)) {
    if (
      /^(npm_(lifecycle|package|command|execpath|node_execpath|config_local_prefix)|INIT_CWD$|NODE_TEST_CONTEXT$)/.test(
        key,
      )
    ) {
      delete env[key];
    }
  }
  const folders = (env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules"));
  return { ...env, PATH: folders.join(delimiter), HOLDALL_LISTEN: "127.0.0.1:0" };
}

/** Runs `npm start` until the test has ended; returns the lines that it printed until the server was ready. */
async function npmStart(t: TestContext, folder: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  // A process group of its own, for npm and the server that it starts.
  const npm = spawn("npm", ["start"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const exited = once(npm, "exit");
  atEnd(t, async () => {
    if (npm.pid !== undefined && npm.exitCode === null) process.kill(-npm.pid, "SIGTERM");
    await exited;
  });
  let printed = "";
  let complaints = "";
  npm.stderr.setEncoding("utf8").on("data", (text: string) => (complaints += text));
  return new Promise((resolve, reject) => {
    npm.once("close", () => reject(new Error(`npm start ended:\n${printed}\n${complaints}`)));
    npm.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      // An empty line ends what is to be pasted.
      if (/^ {4}git .*\n\n/m.test(printed)) resolve(printed.split("\n"));
    });
  });
}
