import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import {
  FsStore,
  MemoryStore,
  parseKey,
  TraceLayer,
  type ListOptions,
  type ObjectStat,
  type ObjectStore,
} from "@holdall/object-store";
import { seededObject, type SeededObject } from "../../../test/support/seeded-objects.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { runAgent } from "../src/agent.ts";
import type { Answer, Init } from "../src/messages.ts";

export type Line = string | object;

/** The folder of one git-lfs, and a store; what git-lfs would say, and what the agent does with it. */
export class Session {
  /** Without layers. */
  readonly store: ObjectStore;
  readonly folder: string;
  /** Of the store, in the order in which they were made, such as `stat lfs/…`. */
  readonly calls: string[] = [];
  /** What the agent gets to see. */
  seen: ObjectStore;
  flat = false;

  private constructor(store: ObjectStore, folder: string) {
    this.store = store;
    this.folder = folder;
    this.seen = new Noting(store, (call) => this.calls.push(call));
  }

  static async create(t: TestContext, o: { readonly onDisk?: boolean } = {}): Promise<Session> {
    const folder = await temporaryFolder(t, "lfs-agent");
    const store = o.onDisk === true ? new FsStore(join(folder, "store")) : new MemoryStore();
    // Each session of a test ends with that, and the next one goes on with the same store.
    store.close = async () => undefined;
    return new Session(store, join(folder, "lfs"));
  }

  /** An object, and its file where git-lfs has one. */
  async local(seed: number, size: number): Promise<SeededObject & { readonly path: string }> {
    const object = seededObject(seed, size);
    const path = join(this.folder, "objects", object.oid);
    await mkdir(join(this.folder, "objects"), { recursive: true });
    await writeFile(path, object.bytes);
    return { ...object, path };
  }

  /** Puts bytes into the store, past all layers. */
  async keep(key: string, bytes: Uint8Array): Promise<void> {
    await this.store.put(parseKey(key), one(bytes), { size: bytes.length });
  }

  /** The bytes under a key; undefined when there are none. */
  async kept(key: string): Promise<Buffer | undefined> {
    if ((await this.store.stat(parseKey(key))) === undefined) return undefined;
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await this.store.get(parseKey(key))).body) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** All that is said in one session, and ends it. @returns the answers but for progress */
  async says(operation: Init["operation"], ...lines: readonly Line[]): Promise<Answer[]> {
    const all = await this.saysRaw([{ event: "init", operation, remote: "origin" }, ...lines, { event: "terminate" }]);
    return all.slice(1).filter((answer) => !("event" in answer && answer.event === "progress"));
  }

  /** @returns all answers */
  async saysRaw(lines: readonly Line[]): Promise<Answer[]> {
    const output = new PassThrough();
    const said = text(output);
    await this.run(
      Readable.from(lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`)),
      output,
    );
    output.end();
    return (await said)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Answer);
  }

  /** Runs the agent until it ends. */
  async run(input: Readable, output: PassThrough, signal = new AbortController().signal): Promise<void> {
    const { seen: store, folder, flat } = this;
    await runAgent({ input, output, signal, connect: async () => ({ store, name: "test", folder, flat }) });
  }

  /** What the agent has left behind, by folder. */
  async left(folder: "tmp" | "incomplete" | "holdall/uploads"): Promise<string[]> {
    try {
      return await readdir(join(this.folder, folder));
    } catch {
      return [];
    }
  }
}

/** Notes each call, such as `stat lfs/…`. */
class Noting extends TraceLayer {
  readonly #note: (call: string) => void;

  constructor(inner: ObjectStore, note: (call: string) => void) {
    super(inner, (line) => note(line.replace(/( \(.*?\))?: .*/, "")));
    this.#note = note;
  }

  override list(prefix: string, o?: ListOptions): AsyncIterable<ObjectStat> {
    this.#note(`list ${prefix}`);
    return this.inner.list(prefix, o);
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
