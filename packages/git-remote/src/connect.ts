import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  configFile,
  encodePkt,
  headFile,
  packedRefsFile,
  pktLine,
  readPkts,
  sortedRefs,
  type ObjectFormat,
  type Pkt,
} from "@holdall/git-protocol";
import { GitStoreError, LocalGit, Temporary } from "@holdall/git-store/core";
import type { Cache } from "./cache.ts";
import type { Input } from "./input.ts";
import type { Opened } from "./open-repository.ts";
import type { Listing } from "./repository.ts";

export interface ConnectParts {
  readonly cache: Cache;
  /** Looks at the remote, whose objects come into the cache. */
  readonly open: () => Promise<Opened>;
  readonly input: Input;
  /** Takes bytes for git; resolves when there is room for more. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Git looks for objects that a clone has left out. */
  readonly fromPromisor: boolean;
}

/** As long as a request may be, in bytes: a client says what it has in batches. */
const LONGEST_REQUEST = 64 * 1024 * 1024;

const SETTINGS = "[uploadpack]\n\tallowFilter = true\n\thideRefs = !refs\n";

/**
 * Is the server that the store is not: answers protocol version 2 (git: Documentation/gitprotocol-v2) over a cache of the remote's
 * objects, by the user's own `git upload-pack`, until git ends the connection.
 */
export async function serveUploadPack(parts: ConnectParts): Promise<void> {
  await using folder = new Temporary(await mkdtemp(join(tmpdir(), "holdall-upload-pack-")));
  const session = new Session(parts, folder.path);
  await session.begin();
  await session.advertise();
  const pkts = readPkts(parts.input.bytes());
  for (let request = await readRequest(pkts); request !== undefined; request = await readRequest(pkts))
    await session.answer(request);
}

class Session {
  readonly #o: ConnectParts;
  readonly #folder: string;
  /** The remote's refs over the cache's objects. One of its own, as another session may see another state. */
  readonly #view: LocalGit;
  #isCurrent = false;

  constructor(o: ConnectParts, folder: string) {
    this.#o = o;
    this.#folder = folder;
    this.#view = LocalGit.apart(folder);
  }

  async begin(): Promise<void> {
    const { cache, fromPromisor } = this.#o;
    // What a clone lacks is here already, as a rule: then the store is not asked at all.
    const format = fromPromisor ? await cache.format() : undefined;
    if (format === undefined) await this.#bringUpToDate();
    else await this.#write(format, undefined);
    await cache.touch();
  }

  async advertise(): Promise<void> {
    const args = ["upload-pack", "--stateless-rpc", "--advertise-refs", this.#folder];
    await this.#run(args, []);
  }

  async answer(request: readonly Pkt[]): Promise<void> {
    try {
      if (!this.#isCurrent && !(await this.#hasAll(wantsIn(request)))) await this.#bringUpToDate();
      const args = ["upload-pack", "--stateless-rpc", this.#folder];
      await this.#run(args, request.map(encodePkt));
    } catch (error) {
      // Without a word git would ask again, and again.
      const why = error instanceof Error ? error.message : String(error);
      await this.#o.write(pktLine(`ERR ${why}\n`));
      throw error;
    }
    await this.#o.write(encodePkt({ kind: "response-end" }));
  }

  async #run(args: readonly string[], input: Iterable<Uint8Array>): Promise<void> {
    // Not by a line in a file, which would not take every path.
    const env = { GIT_PROTOCOL: "version=2", GIT_OBJECT_DIRECTORY: this.#o.cache.objects };
    await this.#view.stream(args, { input, pass: this.#o.write, env });
  }

  async #hasAll(wants: readonly string[] | undefined): Promise<boolean> {
    return wants !== undefined && (await this.#o.cache.git.typesOf(wants)).size === new Set(wants).size;
  }

  async #bringUpToDate(): Promise<void> {
    const { cache, open } = this.#o;
    const { repository, listing } = await open();
    const format = listing?.objectFormat ?? "sha1";
    await cache.prepare(format);
    const tips = [...(listing?.refs.values() ?? [])].map(({ oid }) => oid);
    const kept = tips.length === 0 ? [] : await repository.fetch(tips);
    await Promise.all(kept.map((path) => rm(path, { force: true })));
    await cache.tidy();
    await this.#write(format, listing);
    this.#isCurrent = true;
  }

  async #write(format: ObjectFormat, listing: Listing | undefined): Promise<void> {
    const folder = this.#folder;
    await mkdir(join(folder, "refs"), { recursive: true });
    await writeFile(join(folder, "config"), configFile(format) + SETTINGS);
    await writeFile(join(folder, "packed-refs"), packedRefsFile(sortedRefs(listing?.refs ?? [])));
    await writeFile(join(folder, "HEAD"), headFile(listing?.head ?? "refs/heads/main"));
  }
}

/** Up to the flush that ends a request. Undefined: git has ended. */
async function readRequest(pkts: AsyncIterator<Pkt, void>): Promise<readonly Pkt[] | undefined> {
  const request: Pkt[] = [];
  let size = 0;
  for (;;) {
    // Not by a loop over it, which would end it with the first request.
    const { done, value: pkt } = await pkts.next();
    if (done === true) return undefined;
    request.push(pkt);
    size += pkt.kind === "line" ? pkt.bytes.length : 0;
    if (size > LONGEST_REQUEST)
      throw new GitStoreError("unsupported", "git's request is longer than this helper reads");
    if (pkt.kind === "flush") return request;
  }
}

/** The objects that a request is for. Undefined: it is one of another kind. */
function wantsIn(request: readonly Pkt[]): readonly string[] | undefined {
  const lines = request.flatMap((pkt) => (pkt.kind === "line" ? [Buffer.from(pkt.bytes).toString().trimEnd()] : []));
  if (lines[0] !== "command=fetch") return undefined;
  return lines.flatMap((line) => (line.startsWith("want ") ? [line.slice(5)] : []));
}
