import type { Oid } from "@holdall/lfs-protocol";
import type { CompiledQuery } from "kysely";
import type { Database } from "./database.ts";
import { MetadataError } from "./errors.ts";
import { bytesOf } from "./oid-bytes.ts";
import type { LinkedObject, ObjectRecord, Objects } from "./port.ts";
import { prepare } from "./prepare.ts";

const MAX_OIDS = 1000;

interface NewLink {
  repositoryId: number;
  oid: Uint8Array;
  size: number;
  now: number;
}

export class SqlObjects implements Objects {
  readonly #database: Database;
  readonly #record: (values: NewLink) => CompiledQuery;
  readonly #link: (values: NewLink) => CompiledQuery;
  readonly #known: (values: NewLink) => CompiledQuery<{ size: number }>;
  readonly #suspect: (values: Omit<NewLink, "size">) => CompiledQuery;

  constructor(database: Database) {
    this.#database = database;
    const { db } = database;
    this.#record = prepare(({ oid, size }) =>
      db
        .insertInto("objects")
        .values({ oid, size })
        .onConflict((conflict) => conflict.column("oid").doNothing()),
    );
    // Selecting by oid and size links nothing when the object is known with another size.
    this.#link = prepare(({ repositoryId, oid, size, now }) =>
      db
        .insertInto("links")
        .columns(["repository_id", "oid", "size", "linked_at"])
        .expression((eb) =>
          eb
            .selectFrom("objects")
            .select((of) => [of.val(repositoryId).as("repository_id"), "oid", "size", of.val(now).as("linked_at")])
            .where("oid", "=", oid)
            .where("size", "=", size),
        )
        .onConflict((conflict) =>
          conflict
            .columns(["repository_id", "oid"])
            .doUpdateSet({ suspected_at: null })
            .where("links.suspected_at", "is not", null),
        ),
    );
    this.#known = prepare(({ oid }) => db.selectFrom("objects").select("size").where("oid", "=", oid));
    this.#suspect = prepare(({ repositoryId, oid, now }) =>
      db
        .updateTable("links")
        .set({ suspected_at: now })
        .where("repository_id", "=", repositoryId)
        .where("oid", "=", oid)
        .where("suspected_at", "is", null),
    );
  }

  async linked(repositoryId: number, oids: readonly Oid[]): Promise<ReadonlyMap<Oid, LinkedObject>> {
    if (oids.length > MAX_OIDS) {
      throw new MetadataError("invalid", `${oids.length} oids were asked for at once; ask for up to ${MAX_OIDS}`);
    }
    const linked = new Map<Oid, LinkedObject>();
    if (oids.length === 0) return linked;
    const { sizes, suspects } = await this.#database.linked(repositoryId, oids);
    const suspected = new Set(suspects);
    oids.forEach((oid, index) => {
      const size = sizes[index];
      if (typeof size === "number") linked.set(oid, { size, suspect: suspected.has(oid) });
    });
    return linked;
  }

  async link(repositoryId: number, { oid, size }: ObjectRecord): Promise<void> {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new MetadataError("invalid", `${size} is not a size in bytes: object ${oid} was not linked`);
    }
    const link: NewLink = { repositoryId, oid: bytesOf(oid), size, now: Date.now() };
    const [, , known] = await this.#database.atomically([this.#record(link), this.#link(link), this.#known(link)]);
    if (known[0]?.size !== size) {
      throw new MetadataError(
        "conflict",
        `object ${oid} is known with ${known[0]?.size} bytes, so it was not linked with ${size}; check the bytes sent`,
      );
    }
  }

  async suspect(repositoryId: number, oid: Oid): Promise<void> {
    await this.#database.atomically([this.#suspect({ repositoryId, oid: bytesOf(oid), now: Date.now() })]);
  }
}
