import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { seededBytes, sha256 } from "../support/content.ts";
import { Person } from "../support/git-remote/person.ts";
import { lfsPerson } from "../support/lfs-agent.ts";
import { withGitLfs } from "../support/require.ts";
import { run, said } from "../support/run.ts";
import { type Recorded, S3TestServer } from "../support/s3-test-server/server.ts";

const MIB = 1024 ** 2;
const KEY = "arn:aws:kms:us-east-1:123456789012:key/some-key";
const SSE = "x-amz-server-side-encryption";
const WANTED = { [SSE]: "aws:kms", [`${SSE}-aws-kms-key-id`]: KEY, [`${SSE}-bucket-key-enabled`]: "true" };

let s3: S3TestServer;
before(async () => {
  s3 = await S3TestServer.start();
});
after(async () => {
  await s3[Symbol.asyncDispose]();
});

/** What makes an object, and says how it is to be kept; parts and completions are of one that has said so. */
const MAKES = ["PutObject", "CreateMultipartUpload", "CopyObject"];

/** How requests say that what they make is to be encrypted. */
function encryptionIn({ headers }: Recorded): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(SSE)));
}

/** All that was made, below any of these keys too, was asked to be encrypted so, and nothing else says anything of it. */
function assertEncrypted(
  bucket: string,
  keys: readonly RegExp[],
  wanted: Readonly<Record<string, string>> = WANTED,
): void {
  const requests = s3.requests.filter((one) => one.bucket === bucket);
  const made = requests.filter(({ operation = "" }) => MAKES.includes(operation));
  for (const one of made) assert.deepEqual(encryptionIn(one), wanted, `${one.operation} ${one.key}`);
  for (const one of requests) if (!made.includes(one)) assert.deepEqual(encryptionIn(one), {}, one.operation);
  for (const key of keys)
    assert.ok(
      made.some((one) => key.test(`${one.operation} ${one.key}`)),
      String(key),
    );
}

/** Where it is said. */
type Way = readonly [title: string, say: (ada: Person, bucket: string, layout: string) => Promise<string>];

const WAYS: readonly Way[] = [
  [
    "the URL",
    async (_ada, bucket, layout) =>
      `s3://${bucket}/app?layout=${layout}&sse=aws:kms&kmsKeyId=${encodeURIComponent(KEY)}&bucketKey=true`,
  ],
  [
    "git's configuration",
    async (ada, bucket, layout) => {
      await configure(ada, `s3://${bucket}`);
      return `s3://${bucket}/app?layout=${layout}`;
    },
  ],
];

async function configure(ada: Person, url: string): Promise<void> {
  const settings = { sse: "aws:kms", kmsKeyId: KEY, bucketKey: "true" };
  for (const [name, value] of Object.entries(settings)) {
    await ada.git(".", "config", "--global", `holdall.${url}.${name}`, value);
  }
}

/** What each layout makes: in one piece, in parts, by copying. */
const LAYOUTS: Readonly<Record<string, readonly RegExp[]>> = {
  packs: [
    /^CreateMultipartUpload .*\.pack$/,
    /^PutObject .*\.pack$/,
    /^PutObject .*\.idx$/,
    /^PutObject .*\/manifest\.json$/,
    /^PutObject .*\/packed-refs$/,
    /^PutObject .*\/info\/refs$/,
  ],
  bundles: [
    /^CreateMultipartUpload app\/holdall\/uploads\/.*$/,
    /^CreateMultipartUpload app\/refs\/heads\/main\/.*\.bundle$/,
    /^PutObject .*\/LOCK#\.lock$/,
    /^PutObject app\/HEAD$/,
  ],
};

for (const [layout, keys] of Object.entries(LAYOUTS)) {
  for (const [title, say] of WAYS) {
    test(`${layout}: all that is made is encrypted as ${title} says`, async (t) => {
      const bucket = await s3.createBucket();
      const ada = await Person.create(t, { env: s3.env });
      const url = await say(ada, bucket, layout);
      await ada.init("work", { url });
      await ada.commit("work", "large", seededBytes(1, 9 * MIB));
      await ada.git("work", "push", "--quiet", "origin", "main");
      await ada.commit("work", "small");
      await ada.git("work", "push", "--quiet", "origin", "main");
      assertEncrypted(bucket, keys);
      await ada.clone("copy", { url });
      await ada.git("copy", "fsck", "--strict");
    });
  }
}

test("commands encrypt as git's configuration says", async (t) => {
  const bucket = await s3.createBucket();
  const ada = await Person.create(t, { env: s3.env });
  await configure(ada, `s3://${bucket}/app`);
  await ada.init("work", { url: `s3://${bucket}/app?layout=bundles` });
  await ada.commit("work", "one");
  await ada.git("work", "push", "--quiet", "origin", "main");
  const done = await run("holdall", ["repo", "import", `s3://${bucket}/app`], { cwd: ada.home, env: ada.env });
  assert.equal(done.code, 0, said(done));
  assertEncrypted(bucket, [/^PutObject .*\.pack$/, /^PutObject .*\/manifest\.json$/]);
});

async function pushes(
  t: TestContext,
  settings: readonly string[],
  url: (bucket: string) => string,
): Promise<[string, string]> {
  const bucket = await s3.createBucket();
  const ada = await Person.create(t, { env: s3.env });
  await ada.init("work", { url: url(bucket) });
  await ada.commit("work", "one");
  const set = settings.flatMap((setting) => ["-c", setting.replace("BUCKET", bucket)]);
  const { stderr } = await ada.tryGit("work", ...set, "push", "--quiet", "origin", "main");
  return [bucket, stderr];
}

test("what the URL says counts, and what is configured for other URLs does not", async (t) => {
  const kms = ["holdall.sse=aws:kms", `holdall.kmsKeyId=${KEY}`];
  const [own, nothing] = await pushes(t, kms, (bucket) => `s3://${bucket}/app?sse=AES256`);
  assert.equal(nothing, "");
  assertEncrypted(own, [/manifest/], { [SSE]: "AES256" });
  const elsewhere = ["holdall.s3://BUCKET/other.sse=aws:kms", "holdall.gs://BUCKET.sse=aws:kms"];
  const [plain] = await pushes(t, elsewhere, (bucket) => `s3://${bucket}/app`);
  assertEncrypted(plain, [/manifest/], {});
});

test("what cannot be configured so is told in one line, and nothing is written", async (t) => {
  for (const [settings, message] of [
    [
      ["holdall.sse=kms"],
      /^fatal: git's configuration of holdall\.\* for s3:\/\/\S+\/app: sse is "kms"; it may be AES256, aws:kms.*\n/,
    ],
    [["holdall.kmsKeyId=some-key"], /^fatal: git's configuration .*: kmsKeyId needs sse=aws:kms.*\n/],
  ] as const) {
    const [bucket, stderr] = await pushes(t, settings, (bucket) => `s3://${bucket}/app`);
    assert.match(stderr, message);
    assert.equal(s3.look(bucket).objects.size, 0);
  }
});

for (const [title, say] of WAYS) {
  withGitLfs("git-lfs", `LFS objects are encrypted as ${title} says, in one piece and in parts`, async (t, gitLfs) => {
    const bucket = await s3.createBucket();
    const ada = await lfsPerson(t, gitLfs, { ...s3.env, GIT_SSH_COMMAND: "false" });
    await ada.init("work", { url: (await say(ada, bucket, "packs")).replace("s3://", "holdall::s3://") });
    await ada.git("work", "lfs-holdall", "install");
    await ada.git("work", "lfs", "track", "*.bin");
    const [small, large] = [seededBytes(1, 1000), seededBytes(2, 33 * MIB)];
    await ada.write("work", "small.bin", small);
    await ada.write("work", "large.bin", large);
    await ada.commit("work", "readme.txt");
    await ada.git("work", "push", "--quiet", "origin", "main");
    assertEncrypted(bucket, [
      new RegExp(`^PutObject .*/lfs/.*${sha256(small)}$`),
      new RegExp(`^CreateMultipartUpload .*/lfs/.*${sha256(large)}$`),
    ]);
  });
}
