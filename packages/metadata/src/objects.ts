import type { Oid } from "@holdall/lfs-protocol";
import type { CompiledQuery } from "kysely";
import type { Database } from "./database.ts";
import { MetadataError } from "./errors.ts";
import type { ObjectRecord, Objects } from "./port.ts";
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
        .onConflict((conflict) => conflict.columns(["repository_id", "oid"]).doNothing()),
    );
    this.#known = prepare(({ oid }) => db.selectFrom("objects").select("size").where("oid", "=", oid));
  }

  async linked(repositoryId: number, oids: readonly Oid[]): Promise<ReadonlyMap<Oid, number>> {
    if (oids.length > MAX_OIDS) {
      throw new MetadataError("invalid", `${oids.length} oids were asked for at once; ask for up to ${MAX_OIDS}`);
    }
    const linked = new Map<Oid, number>();
    if (oids.length === 0) return linked;
    const sizes = await this.#database.linkedSizes(repositoryId, oids);
    oids.forEach((oid, index) => {
      const size = sizes[index];
      if (typeof size === "number") linked.set(oid, size);
    });
    return linked;
  }

  async link(repositoryId: number, { oid, size }: ObjectRecord): Promise<void> {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new MetadataError("invalid", `${size} is not a size in bytes: object ${oid} was not linked`);
    }
    // A copy with a buffer of its own: a small Buffer is a view of a shared pool, and all of that would be sent along to
    // a thread.
    const link: NewLink = { repositoryId, oid: new Uint8Array(Buffer.from(oid, "hex")), size, now: Date.now() };
    const [, , known] = await this.#database.atomically([this.#record(link), this.#link(link), this.#known(link)]);
    if (known[0]?.size !== size) {
      throw new MetadataError(
        "conflict",
        `object ${oid} is known with ${known[0]?.size} bytes, so it was not linked with ${size}; check the bytes sent`,
      );
    }
  }
}
