import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { before, after, test, type TestContext } from "node:test";
import { seededBytes, sha256 } from "../support/content.ts";
import { type Grant, grantsIn, HERE, Office, type Page, runRepo, withoutEach } from "../support/git-remote/office.ts";
import type { Person } from "../support/git-remote/person.ts";
import { begin } from "../support/git-remote/work.ts";
import { said } from "../support/run.ts";
import { enforcing } from "../support/s3-enforcers.ts";
import { S3TestServer } from "../support/s3-test-server/server.ts";

const MIB = 1024 ** 2;

let server: S3TestServer;
before(async () => {
  server = await S3TestServer.start();
});
after(async () => {
  await server[Symbol.asyncDispose]();
});

/** A job's rights, and the same without one action. */
async function rights(page: Page, job: string, without?: string): Promise<readonly Grant[]> {
  const grants = (await grantsIn(page)).get(job) ?? assert.fail(job);
  if (without === undefined) return grants;
  return withoutEach(grants).find(({ action }) => action === without)?.left ?? assert.fail(without);
}

/** How many uploads nobody has ended. */
const unfinished = ({ bucket }: Office): number => server.look(bucket).uploads.size;

for (const [without, left] of [
  [undefined, 0],
  ["s3:AbortMultipartUpload", 1],
] as const) {
  test(`a push whose parts are refused gives them up, ${left === 0 ? "with" : "and not without"} the right to`, async (t) => {
    const office = (await Office.open(t, enforcing(server))) ?? assert.fail();
    const { guest, url, bucket } = office;
    await guest.init("own", { url });
    await guest.commit("own", "large", seededBytes(1, 9 * MIB));
    // Two parts, of which the second never comes.
    t.after(
      server.fault(
        { operation: "UploadPart", key: /\.pack$/, skip: 1, times: 1000 },
        { answer: { status: 403, code: "AccessDenied" } },
      ),
    );
    const push = await (
      await office.admit(await rights("git-remote.md", "push", without))
    ).tryGit("own", "push", "origin", "main");
    assert.match(push.stderr, /^fatal: storing part \d of .*\.pack .*allow these credentials s3:PutObject/m);
    assert.equal(unfinished(office), left);
    assert.ok(!server.look(bucket).objects.has(`${HERE}/holdall/manifest.json`));
  });
}

for (const without of [
  undefined,
  "s3:ListBucketMultipartUploads",
  "s3:ListMultipartUploadParts",
  "s3:AbortMultipartUpload",
]) {
  test(`maintenance ${without === undefined ? "gives up what nobody goes on with" : `says that it could not without ${without}`}`, async (t) => {
    const office = (await Office.open(t, enforcing(server))) ?? assert.fail();
    await begin(office.owner, office);
    const { uploads } = server.look(office.bucket);
    const begunAt = new Date(Date.now() - 2 * 24 * 3600 * 1000);
    const key = `${HERE}/objects/pack/pack-of-two-days-ago.pack`;
    uploads.set("1", { id: "1", key, begunAt, headers: {}, parts: new Map() });
    const guest = await office.admit(await rights("repo-commands.md", "`maintain`, `doctor --repair`", without));
    const done = await runRepo(guest, office, ["maintain", office.url]);
    assert.equal(done.code, 0, said(done));
    const isAllowed = without === undefined;
    assert.match(
      done.stdout,
      isAllowed ? /Gave up 1 unfinished uploads/ : /does not let us look for unfinished uploads/,
    );
    assert.equal(unfinished(office), isAllowed ? 0 : 1);
  });
}

const LARGE = seededBytes(2, 33 * MIB);
const OID = sha256(LARGE);

/** An upload of five parts, of which some have come before somebody's rights ended. */
async function begunUpload(t: TestContext): Promise<Office | undefined> {
  const office = await Office.open(t, enforcing(server), { lfs: true });
  if (office === undefined) return undefined;
  const { guest, url, bucket } = office;
  await guest.init("own", { url });
  await guest.git("own", "lfs", "track", "*.bin");
  await guest.write("own", "large.bin", LARGE);
  await guest.commit("own", "readme.txt");
  const end = server.fault(
    { operation: "UploadPart", key: new RegExp(OID), skip: 2, times: 1000 },
    { answer: { status: 403, code: "AccessDenied" } },
  );
  const failed = await push(guest);
  end();
  assert.match(said(failed), /allow these credentials s3:PutObject/);
  assert.equal(server.look(bucket).uploads.size, 1);
  return office;
}

const push = async (guest: Person): ReturnType<Person["tryGit"]> =>
  await guest.tryGit("own", "lfs", "push", "origin", "main");

test("an upload of LFS goes on where it was, and names the right that this takes", async (t) => {
  const office = await begunUpload(t);
  if (office === undefined) return;
  const denied = await push(await office.admit(await rights("lfs-agent.md", "upload", "s3:ListMultipartUploadParts")));
  assert.match(said(denied), /\[403\] listing the parts of .*allow these credentials s3:ListMultipartUploadParts/);
  const done = await push(await office.admit(await rights("lfs-agent.md", "upload")));
  assert.equal(done.code, 0, said(done));
  assert.equal(unfinished(office), 0);
});

for (const [without, left] of [
  [undefined, 0],
  ["s3:AbortMultipartUpload", 1],
] as const) {
  test(`an upload of a damaged file is called that, and given up ${left === 0 ? "with" : "not without"} the right to`, async (t) => {
    const office = await begunUpload(t);
    if (office === undefined) return;
    const damaged = Buffer.from(LARGE);
    damaged[20 * MIB] = (damaged[20 * MIB] ?? 0) ^ 1;
    await writeFile(office.guest.path("own/.git/lfs/objects", OID.slice(0, 2), OID.slice(2, 4), OID), damaged);
    const failed = await push(await office.admit(await rights("lfs-agent.md", "upload", without)));
    assert.match(said(failed), /\[422\] the file of the object .* in this clone is damaged, and was not sent/);
    assert.equal(unfinished(office), left);
  });
}
