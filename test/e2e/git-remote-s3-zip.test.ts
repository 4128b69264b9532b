import assert from "node:assert/strict";
import { test } from "node:test";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Places } from "../support/git-remote/places.ts";
import { keysBelow, twoPeople } from "../support/git-remote-s3.ts";
import { runWell } from "../support/run.ts";

const places = Places.shared();

interface Zip {
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly disposition: string | undefined;
  /** The names of the files in it. */
  readonly names: readonly string[];
}

test("s3+zip writes what the original writes for CodePipeline, and both go on with it", async (t) => {
  const both = await twoPeople(t, places, "0.4.2");
  if (both === undefined) return;
  const { ours, theirs, remote, store } = both;
  const url = remote.url.replace("s3://", "s3+zip://");
  const client = new S3Client({ endpoint: remote.env["AWS_ENDPOINT_URL"] ?? "", forcePathStyle: true });
  const [bucket = ""] = remote.url.slice("s3://".length).split("/");
  const zipOf = async (branch: string): Promise<Zip> => {
    const Key = `repository/refs/heads/${branch}/repo.zip`;
    const { Metadata, ContentDisposition, Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    await ours.write(".", "zip", (await Body?.transformToByteArray()) ?? new Uint8Array());
    const list = "import sys,zipfile; print('\\n'.join(sorted(zipfile.ZipFile(sys.argv[1]).namelist())))";
    const { stdout } = await runWell("python3", ["-c", list, ours.path("zip")]);
    return { metadata: Metadata, disposition: ContentDisposition, names: stdout.trim().split("\n") };
  };

  await theirs.init("work", { url });
  await theirs.commit("work", "one");
  await theirs.git("work", "push", "--quiet", "origin", "main");
  const original = await zipOf("main");
  await ours.clone("copy", { url });
  await ours.git("copy", "push", "--quiet", "--force", "origin", "main:refs/heads/ours");
  assert.deepEqual(await zipOf("ours"), original);

  const second = await ours.commit("copy", "two");
  await ours.git("copy", "push", "--quiet", "origin", "main");
  const short = await ours.git("copy", "rev-parse", "--short", "HEAD");
  assert.deepEqual(await zipOf("main"), {
    metadata: { "codepipeline-artifact-revision-summary": `${short} two` },
    disposition: `attachment; filename=repo-${second.slice(0, 8)}.zip`,
    names: ["one", "two"],
  });
  await theirs.git("work", "pull", "--quiet", "origin", "main");
  await theirs.git("work", "push", "--quiet", "origin", "main:refs/heads/theirs", ":ours");
  await ours.git("copy", "push", "--quiet", "origin", ":theirs");
  assert.deepEqual(await keysBelow(store, "refs/"), [`refs/heads/main/${second}.bundle`, "refs/heads/main/repo.zip"]);
  client.destroy();
});

test("a summary that is more than ASCII is written as S3 writes such metadata", async (t) => {
  const both = await twoPeople(t, places, "0.4.2", "umlauts");
  if (both === undefined) return;
  const { ours, remote } = both;
  await ours.init("work", { url: remote.url.replace("s3://", "s3+zip://") });
  await ours.write("work", "file", "x");
  await ours.git("work", "add", "--all");
  await ours.git("work", "commit", "--quiet", "-m", "Grüße");
  const pushed = await ours.tryGit("work", "push", "origin", "main");
  assert.equal(pushed.code, 0);
  assert.doesNotMatch(pushed.stderr, /warning/);
});
