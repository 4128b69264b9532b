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

const V2 = { GIT_PROTOCOL: "version=2" };
const SETTINGS = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n\thideRefs = !refs\n";

/**
 * Is the server that the store is not: answers protocol version 2 (git: Documentation/gitprotocol-v2) over a cache of the remote's
 * objects, by the user's own `git upload-pack`, until git ends the connection.
 */
export async function serveUploadPack(parts: ConnectParts): Promise<void> {
  const session = await Session.begin(parts);
  try {
    await session.advertise();
    for (;;) {
      const request = await readRequest(session.pkts);
      if (request === undefined) return;
      await session.answer(request);
    }
  } finally {
    await session.end();
  }
}

class Session {
  readonly pkts: AsyncGenerator<Pkt, void, undefined>;
  readonly #o: ConnectParts;
  readonly #temporary: Temporary;
  readonly #folder: string;
  /** The remote's refs over the cache's objects. One of its own, as another session may see another state. */
  readonly #view: LocalGit;
  #isCurrent = false;

  private constructor(o: ConnectParts, temporary: Temporary) {
    this.#o = o;
    this.#temporary = temporary;
    this.#folder = temporary.path;
    this.#view = LocalGit.apart(temporary.path);
    this.pkts = readPkts(o.input.bytes());
  }

  static async begin(o: ConnectParts): Promise<Session> {
    const temporary = new Temporary(await mkdtemp(join(tmpdir(), "holdall-upload-pack-")));
    const session = new Session(o, temporary);
    try {
      // What a clone lacks is here already, as a rule: then the store is not asked at all.
      const format = o.fromPromisor ? await o.cache.completeFormat() : undefined;
      if (format === undefined) await session.#bringUpToDate();
      else await session.#write(format, undefined);
    } catch (error) {
      await session.end();
      throw error;
    }
    return session;
  }

  async advertise(): Promise<void> {
    const args = ["upload-pack", "--stateless-rpc", "--advertise-refs", this.#folder];
    await this.#view.stream(args, { input: [], pass: this.#o.write, env: V2 });
  }

  async answer(request: readonly Pkt[]): Promise<void> {
    try {
      if (!this.#isCurrent && !(await this.#hasAll(wantsIn(request)))) await this.#bringUpToDate();
      const args = ["upload-pack", "--stateless-rpc", this.#folder];
      await this.#view.stream(args, { input: request.map(encodePkt), pass: this.#o.write, env: V2 });
    } catch (error) {
      // Without a word git would ask again, and again.
      const why = error instanceof Error ? error.message : String(error);
      await this.#o.write(pktLine(`ERR ${why}\n`));
      throw error;
    }
    await this.#o.write(encodePkt({ kind: "response-end" }));
  }

  async end(): Promise<void> {
    await this.#temporary[Symbol.asyncDispose]();
  }

  async #hasAll(wants: readonly string[] | undefined): Promise<boolean> {
    return wants !== undefined && (await this.#o.cache.git.typesOf(wants)).size === new Set(wants).size;
  }

  async #bringUpToDate(): Promise<void> {
    const { cache, open } = this.#o;
    const { repository, listing } = await open();
    const format = listing?.objectFormat ?? "sha1";
    await cache.prepare(format);
    await cache.complete(async () => {
      const tips = [...(listing?.refs.values() ?? [])].map(({ oid }) => oid);
      const kept = tips.length === 0 ? [] : await repository.fetch(tips);
      await Promise.all(kept.map((path) => rm(path, { force: true })));
    });
    await cache.touch();
    await this.#write(format, listing);
    this.#isCurrent = true;
  }

  async #write(format: ObjectFormat, listing: Listing | undefined): Promise<void> {
    const folder = this.#folder;
    for (const name of ["objects/info", "refs"]) await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, "objects/info/alternates"), `${this.#o.cache.objects}\n`);
    await writeFile(join(folder, "config"), configFile(format) + SETTINGS);
    await writeFile(join(folder, "packed-refs"), packedRefsFile(sortedRefs(listing?.refs ?? [])));
    await writeFile(join(folder, "HEAD"), headFile(listing?.head ?? "refs/heads/main"));
  }
}

/** Up to the flush that ends a request. Undefined: git has ended. */
async function readRequest(pkts: Session["pkts"]): Promise<readonly Pkt[] | undefined> {
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
