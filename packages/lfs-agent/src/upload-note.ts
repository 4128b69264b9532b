import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, type ObjectKey, type UploadedPart } from "@holdall/object-store/open";

/**
 * Of a note to which nothing has been added for so long, in milliseconds, the parts are usually gone: stores have rules for what
 * is left of uploads. If they are not, they are sent anew.
 */
const USELESS_AFTER = 30 * 24 * 3600 * 1000;

const NOTE = /^[0-9a-f]{64}\.jsonl$/;

/** A part that is in the store, and the SHA-256 of the bytes that were sent. */
export interface NotedPart extends UploadedPart {
  readonly sha256: string;
}

export interface Noted {
  /** The store's name for the upload. */
  readonly upload: string;
  /** Bytes. */
  readonly partSize: number;
  /** By number. */
  readonly parts: ReadonlyMap<number, NotedPart>;
}

/**
 * What is known of an upload in parts, in a file of its own where a later process finds it: a line of JSON for the upload,
 * and one for each part, written when the store has it. A process may end at any moment; half a line counts as none.
 */
export class UploadNote {
  readonly #folder: string;
  readonly #path: string;

  /** @param store the name of the store: the same object may be on its way to several */
  constructor(folder: string, { store, key }: { readonly store: string; readonly key: ObjectKey }) {
    this.#folder = folder;
    this.#path = join(folder, `${createHash("sha256").update(`${store}\n${key}`).digest("hex")}.jsonl`);
  }

  /** Undefined where nothing usable is noted. */
  async read(): Promise<Noted | undefined> {
    const [head, ...lines] = (await this.#lines()).flatMap(parsed);
    if (head === undefined || typeof head["upload"] !== "string" || typeof head["partSize"] !== "number") {
      return undefined;
    }
    const parts = lines.filter(isPart).map((part) => [part.number, part] as const);
    return { upload: head["upload"], partSize: head["partSize"], parts: new Map(parts) };
  }

  /** Notes an upload, and forgets what was noted before; of others, what nobody has gone on with. */
  async begin(upload: string, partSize: number): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await this.#clearUp();
    await writeFile(this.#path, `${JSON.stringify({ upload, partSize })}\n`);
  }

  async add({ number, size, etag, sha256 }: NotedPart): Promise<void> {
    await appendFile(this.#path, `${JSON.stringify({ number, size, etag, sha256 })}\n`);
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  /** Whoever adds to a note at the moment when it goes leaves one without its first line, which counts as none. */
  async #clearUp(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => NOTE.test(name));
    for (const path of names.map((name) => join(this.#folder, name))) {
      // Another process may have removed it; and what cannot be removed is in nobody's way.
      const note = await stat(path).catch(() => undefined);
      if (note === undefined || Date.now() - note.mtimeMs < USELESS_AFTER) continue;
      await rm(path, { force: true }).catch(() => undefined);
    }
  }

  async #lines(): Promise<string[]> {
    try {
      return (await readFile(this.#path, "utf8")).split("\n");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(line: string): Fields[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? [value as Fields] : [];
  } catch {
    return [];
  }
}

function isPart(fields: Fields): fields is Fields & NotedPart {
  return (
    typeof fields["number"] === "number" &&
    typeof fields["size"] === "number" &&
    typeof fields["etag"] === "string" &&
    typeof fields["sha256"] === "string"
  );
}
