import assert from "node:assert/strict";
import { chmod, mkdir, readFile, readdir, rename, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it, type TestContext } from "node:test";
import { skip } from "../../../../test/support/require.ts";
import { SmallDisk } from "../../../../test/support/small-disk.ts";
import { requireUnprivileged } from "../../../../test/support/unprivileged.ts";
import { hasCode, oidOf, range, repositoryName } from "../contract/subject.ts";
import { MetadataError } from "../errors.ts";
import { newFolder, type TestFolder } from "./fixtures/folder.ts";
import { tellUnder } from "./fixtures/process.ts";
import { openSqlite } from "./open.ts";

async function folderFor(t: TestContext): Promise<TestFolder> {
  const folder = await newFolder();
  t.after(() => folder.remove());
  return folder;
}

/** A database with 500 links, closed. */
async function newDatabase(t: TestContext): Promise<{ file: string; repositoryId: number }> {
  const file = (await folderFor(t)).path("metadata.db");
  const metadata = await openSqlite({ file });
  const { id } = await metadata.repositories.ensure(repositoryName("r"));
  await Promise.all(range(500, (size) => metadata.objects.link(id, { oid: oidOf(`${size}`), size })));
  await metadata.close();
  return { file, repositoryId: id };
}

/** That opening is refused with this code, names the file, and leaves its bytes as they are. */
async function assertRefused(file: string, code: MetadataError["code"]): Promise<void> {
  const before = await readFile(file);
  await assert.rejects(openSqlite({ file }), (error) => {
    hasCode(code)(error);
    assert.ok(error instanceof MetadataError && error.message.includes(file), "the message names the file");
    return true;
  });
  assert.ok(before.equals(await readFile(file)), "the file is as it was");
}

function saying(code: MetadataError["code"], message: RegExp): (error: unknown) => boolean {
  return (error) => hasCode(code)(error) && message.test(String(error));
}

describe("an SQLite file that cannot be used", () => {
  it("was written by a later version", async (t) => {
    const { file } = await newDatabase(t);
    const database = new DatabaseSync(file);
    database.exec("insert into schema_migrations values (999, 'from the future', 0)");
    database.close();
    await assertRefused(file, "newer-schema");
  });

  it("is another program's database", async (t) => {
    const file = (await folderFor(t)).path("other.db");
    const database = new DatabaseSync(file);
    database.exec("create table bookmarks (url text)");
    database.close();
    await assertRefused(file, "corrupt");
  });

  it("is not a database", async (t) => {
    const file = (await folderFor(t)).path("notes.txt");
    await writeFile(file, "Remember the milk.\n".repeat(500));
    await assertRefused(file, "corrupt");
  });

  it("has a damaged beginning", async (t) => {
    const { file } = await newDatabase(t);
    const bytes = await readFile(file);
    for (let at = 0; at < 100; at++) bytes[at] = (at * 151 + 7) % 256;
    await writeFile(file, bytes);
    await assertRefused(file, "corrupt");
  });

  it("was cut off", async (t) => {
    const { file } = await newDatabase(t);
    const { length } = await readFile(file);
    for (const left of [Math.floor(length / 2), 5000, 4096, 100, 10]) {
      await truncate(file, left);
      await assertRefused(file, "corrupt");
    }
  });

  it("is damaged in the middle: said when it is met, and by nothing worse", async (t) => {
    const { file, repositoryId } = await newDatabase(t);
    const database = new DatabaseSync(file, { readOnly: true });
    const links = database.prepare("select rootpage from sqlite_schema where name = 'links'").get()?.["rootpage"];
    database.close();
    const bytes = await readFile(file);
    bytes.fill(0xaa, (Number(links) - 1) * 4096, Number(links) * 4096);
    await writeFile(file, bytes);
    const metadata = await openSqlite({ file });
    t.after(() => metadata.close());
    await assert.rejects(metadata.objects.linked(repositoryId, [oidOf("1")]), hasCode("corrupt"));
    await assert.rejects(metadata.objects.link(repositoryId, { oid: oidOf("new"), size: 1 }), hasCode("corrupt"));
    await metadata.ping();
    assert.equal((await metadata.repositories.find(repositoryName("r")))?.id, repositoryId);
    await metadata.locks.create(repositoryId, { path: "a", owner: "ann" });
  });

  it("is a folder, or in one that is not there", async (t) => {
    const folder = await folderFor(t);
    await mkdir(folder.path("folder"));
    await symlink(folder.path("absent"), folder.path("link"));
    await assert.rejects(
      openSqlite({ file: folder.path("folder") }),
      saying("unavailable", /is a folder.*move it away/),
    );
    await assert.rejects(openSqlite({ file: folder.path("link") }), saying("unavailable", /is a link to what is not/));
    await assert.rejects(openSqlite({ file: folder.path("absent/metadata.db") }), hasCode("unavailable"));
    assert.deepEqual((await readdir(folder.path("."))).sort(), ["folder", "link"]);
  });

  it("was moved away while it was open: no empty one takes its place", async (t) => {
    const { file, repositoryId } = await newDatabase(t);
    const metadata = await openSqlite({ file });
    t.after(() => metadata.close());
    await rename(file, `${file}-moved`);
    const object = { oid: oidOf("new"), size: 1 };
    await assert.rejects(metadata.objects.link(repositoryId, object), hasCode("unavailable"));
    await assert.rejects(readFile(file), { code: "ENOENT" });
    await rename(`${file}-moved`, file);
    await metadata.objects.link(repositoryId, object);
  });

  it("may not be written to", async (t) => {
    const unprivileged = requireUnprivileged(t);
    if (unprivileged === undefined) return;
    const { file } = await newDatabase(t);
    await chmod(file, 0o400);
    const before = await readFile(file);
    const [refused] = await tellUnder(unprivileged, "open", file);
    const { code, message } = refused as { code: string; message: string };
    assert.equal(code, "read-only");
    assert.ok(message.startsWith(`${file} cannot be written to`), message);
    assert.ok(before.equals(await readFile(file)), "the file is as it was");
  });

  it("is on a read-only disk", async (t) => {
    const disk = await SmallDisk.mount(t, "2m");
    if (disk === undefined) return;
    const file = join(disk.path, "m.db");
    assert.deepEqual(await tellUnder(disk.enter, "open", file), ["opened"]);
    await disk.makeReadOnly();
    const [refused] = await tellUnder(disk.enter, "open", file);
    const { code, message } = refused as { code: string; message: string };
    assert.equal(code, "read-only");
    assert.match(message, /m\.db cannot be written to: its file system is mounted read-only/);
  });

  it("is on a full disk: nothing acknowledged is lost, and it goes on when there is room", async (t) => {
    const disk = await SmallDisk.mount(t, "2m");
    if (disk === undefined) return;
    const [told] = await tellUnder(disk.enter, "fill", join(disk.path, "m.db"));
    const { failures, acknowledged, objectsWhenFull, lost } = told as {
      failures: string[];
      acknowledged: number;
      objectsWhenFull: number;
      lost: number;
    };
    assert.deepEqual(failures, ["full"]);
    assert.ok(acknowledged > 0);
    assert.equal(objectsWhenFull, acknowledged);
    assert.equal(lost, 0);
  });
});

describe("opening", () => {
  it("keeps the file from other users: it holds password hashes", async (t) => {
    if (process.platform === "win32") return skip(t, "Windows has no permission bits");
    const { file } = await newDatabase(t);
    const { mode } = await stat(file);
    assert.equal(mode & 0o077, 0);
  });

  it("gives up when told to", async (t) => {
    const folder = await folderFor(t);
    await assert.rejects(openSqlite({ file: folder.path("m.db"), signal: AbortSignal.abort() }), {
      name: "AbortError",
    });
    assert.deepEqual(await readdir(folder.path(".")), []);
  });
});
