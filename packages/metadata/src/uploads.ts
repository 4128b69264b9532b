import { type Oid, parseOid, type RepositoryName } from "@holdall/lfs-protocol";
import type { Kysely, Selectable } from "kysely";
import { MetadataError } from "./errors.ts";
import { bytesOf } from "./oid-bytes.ts";
import { pages } from "./pages.ts";
import type { Upload, UploadedObject, Uploads } from "./port.ts";
import type { Schema } from "./schema.ts";
import { requireStorable } from "./text.ts";

type Row = Selectable<Schema["uploads"]>;

export class SqlUploads implements Uploads {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async find({ repository, oid, size, partSize }: UploadedObject): Promise<Upload | undefined> {
    const row = await this.#db
      .selectFrom("uploads")
      .selectAll()
      .where("repository", "=", repository)
      .where("oid", "=", bytesOf(oid))
      .where("size", "=", size)
      .where("part_size", "=", partSize)
      .executeTakeFirst();
    return row && toUpload(row);
  }

  async keep(upload: Omit<Upload, "beganAt">): Promise<Upload> {
    const { place, repository, oid, size, partSize, name } = upload;
    requireStorable(place, "the place of an upload");
    requireStorable(name, "the name of an upload");
    for (;;) {
      const inserted = await this.#db
        .insertInto("uploads")
        .values({
          place,
          repository,
          oid: bytesOf(oid),
          size: wholeNumber(size, "size"),
          part_size: wholeNumber(partSize, "part size"),
          upload: name,
          began_at: Date.now(),
        })
        .onConflict((conflict) => conflict.columns(["repository", "oid", "size", "part_size"]).doNothing())
        .returningAll()
        .executeTakeFirst();
      if (inserted !== undefined) return toUpload(inserted);
      const kept = await this.find(upload);
      if (kept !== undefined) return kept;
      // It ended between the two statements.
    }
  }

  async remove(place: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db.deleteFrom("uploads").where("place", "=", place).executeTakeFirst();
    return numDeletedRows > 0n;
  }

  async *list({ before }: { before: Date }): AsyncGenerator<Upload, void, undefined> {
    const rows = pages<Row>((last, limit) =>
      this.#db
        .selectFrom("uploads")
        .selectAll()
        .where("began_at", "<", before.getTime())
        .where((eb) =>
          last === undefined
            ? eb.lit(true)
            : eb(eb.refTuple("began_at", "place"), ">", eb.tuple(last.began_at, last.place)),
        )
        .orderBy("began_at")
        .orderBy("place")
        .limit(limit)
        .execute(),
    );
    for await (const row of rows) yield toUpload(row);
  }
}

function toUpload({ place, repository, oid, size, part_size, upload, began_at }: Row): Upload {
  return {
    place,
    // Only names that `parseRepositoryName` made come in, so only such come out.
    repository: repository as RepositoryName,
    oid: oidOf(oid),
    size,
    partSize: part_size,
    name: upload,
    beganAt: new Date(began_at),
  };
}

function oidOf(bytes: Uint8Array): Oid {
  const oid = parseOid(Buffer.from(bytes).toString("hex"));
  if (oid === undefined) throw new MetadataError("corrupt", "an upload in the database is of no oid");
  return oid;
}

function wholeNumber(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new MetadataError("invalid", `the ${what} of an upload is ${value}, which is not a whole number of bytes`);
}
