import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { configFile, headFile, infoPacksFile, infoRefsFile, packedRefsFile } from "./dumb-views.ts";

const folder = mkdtempSync(join(tmpdir(), "holdall-views-"));
after(() => rmSync(folder, { recursive: true }));

test("the views are what git itself writes into a bare repository", () => {
  for (const format of ["sha1", "sha256"] as const) {
    const repository = join(folder, format);
    const env = {
      ...process.env,
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a",
    };
    const git = (...args: string[]): string =>
      execFileSync("git", ["-C", repository, ...args], { encoding: "utf8", env }).trim();
    execFileSync("git", [
      "init",
      "--quiet",
      "--bare",
      "--initial-branch=main",
      `--object-format=${format}`,
      repository,
    ]);
    const tree = execFileSync("git", ["-C", repository, "mktree"], { input: "", encoding: "utf8" }).trim();
    const commit = git("commit-tree", "-m", "One", tree);
    git("update-ref", "refs/heads/main", commit);
    git("tag", "-a", "-m", "First", "v1", commit);
    git("repack", "-adq");
    git("pack-refs", "--all");
    git("update-server-info");
    const file = (name: string): string => readFileSync(join(repository, name), "utf8");
    const tag = git("rev-parse", "v1");
    const refs = [
      { name: "refs/heads/main", oid: commit },
      { name: "refs/tags/v1", oid: tag, peeled: commit },
    ];
    assert.equal(infoRefsFile(refs), file("info/refs"));
    assert.equal(packedRefsFile(refs), file("packed-refs"));
    const [, name = ""] = /^P (pack-\w+)\.pack$/m.exec(file("objects/info/packs")) ?? [];
    assert.equal(infoPacksFile([name]), file("objects/info/packs"));
    assert.equal(headFile("refs/heads/main"), file("HEAD"));
    assert.equal(configFile(format), file("config"));
  }
});
