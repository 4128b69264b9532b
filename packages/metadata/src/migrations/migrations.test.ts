import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCode } from "../contract/subject.ts";
import { migrations, migrationsAfter } from "./migrations.ts";

describe("the migrations", () => {
  it("are numbered 1, 2, 3 and so on: a version is a place in the list", () => {
    assert.deepEqual(
      migrations.map(({ version }) => version),
      migrations.map((_, index) => index + 1),
    );
  });

  it("continue where a database is, and refuse one that is further", () => {
    assert.deepEqual(migrationsAfter(0, "x.db"), migrations);
    assert.deepEqual(migrationsAfter(migrations.length, "x.db"), []);
    assert.throws(() => migrationsAfter(migrations.length + 1, "x.db"), hasCode("newer-schema"));
  });
});
