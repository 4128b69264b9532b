import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { it } from "node:test";
import { oidOf, repositoryName } from "../contract/subject.ts";
import { migrations } from "../migrations/migrations.ts";
import { newFolder } from "./fixtures/folder.ts";
import { openSqlite } from "./open.ts";

it("a database of the first version is brought up to date with all that is in it", async (t) => {
  const folder = await newFolder();
  t.after(() => folder.remove());
  const file = folder.path("metadata.db");
  const old = new DatabaseSync(file);
  for (const statement of migrations[0]?.sqlite ?? []) old.exec(statement);
  const oid = oidOf("old");
  old.exec(`
    insert into schema_migrations values (1, 'foundation', 0);
    insert into repositories values (7, 'team/app', 0);
    insert into objects values (x'${oid}', 3);
    insert into links values (7, x'${oid}', 3, 0);
  `);
  old.close();

  const metadata = await openSqlite({ file });
  t.after(() => metadata.close());

  const { id } = (await metadata.repositories.find(repositoryName("team/app"))) ?? assert.fail();
  assert.deepEqual(await metadata.objects.linked(id, [oid]), new Map([[oid, { size: 3, suspect: false }]]));
  await metadata.objects.suspect(id, oid);
  assert.deepEqual(await metadata.objects.linked(id, [oid]), new Map([[oid, { size: 3, suspect: true }]]));
});
