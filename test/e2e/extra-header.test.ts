import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { basicAuthorization } from "../support/lfs-user.ts";
import { withEachGitLfs } from "../support/require.ts";
import { runWell } from "../support/run.ts";
import { Server } from "../support/server.ts";

/** The lines of two Authorization headers in a trace, in which git-lfs hides what they say. */
const TWICE = "(> Authorization: .*\r?\n){2}";

// CI systems sign git in with http.extraHeader, and git-lfs adds all of these to every request. The first of them says who
// asks; transfers, whose links say that already, are to mind none of them.
withEachGitLfs("a second Authorization from http.extraHeader does no harm", async (t, gitLfs) => {
  const server = await Server.start(t, { config: { access: [{ who: "users", repositories: "**", right: "write" }] } });
  await server.addUser("ada", "ada's password");
  const token = await server.createToken("ada", "write", "team/app");
  const ci = await GitUser.create(t, "ci", gitLfs);
  for (const value of [basicAuthorization(`ada:${token}`).Authorization, "Bearer for-another-service"]) {
    await ci.git(["config", "--global", "--add", `http.${server.url}/.extraHeader`, `Authorization: ${value}`]);
  }
  const remote = await bareRepository(t);
  const work = await ci.initWithLfs(remote, server.lfsUrl("team/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  const env = { ...ci.env, GIT_CURL_VERBOSE: "1" };

  const pushed = await runWell("git", ["push", "origin", "main"], { cwd: work.folder, env });
  const copy = await ci.clone(remote, ["lfs.fetchexclude=*"]);
  const fetched = await runWell("git", ["lfs", "pull", "--exclude", ""], { cwd: copy.folder, env });

  for (const [method, { stderr }] of [
    ["PUT", pushed],
    ["GET", fetched],
  ] as const) {
    assert.match(stderr, new RegExp(`^> ${method} /\\S+token=\\S+ HTTP/1.1\r?\n(> .*\r?\n)*?${TWICE}`, "m"));
  }
  assert.deepEqual(await copy.files(), await work.files());
  await copy.git("lfs", "lock", "a.bin");
  await copy.git("lfs", "unlock", "a.bin");
});
