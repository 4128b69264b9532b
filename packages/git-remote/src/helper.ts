import { once } from "node:events";
import { rm } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { GitError, GitStoreError, LocalGit } from "@holdall/git-store/core";
import { StorageError, TraceLayer, type ObjectStore } from "@holdall/object-store/open";
import { Input } from "./input.ts";
import { bytesOf } from "./line-text.ts";
import { noOptions, setOption } from "./options.ts";
import { type Layout, openRepository, type Opened } from "./open-repository.ts";
import type { PushLine, RemoteRepository } from "./repository.ts";

export interface HelperOptions {
  /** As git was given it. */
  readonly url: string;
  /** The store, whose root is the repository. Nothing is asked of it before git asks for something. */
  readonly store: Promise<ObjectStore>;
  /** The repository that git works on; undefined where there is none. */
  readonly gitDir: string | undefined;
  /** Where objects are kept that clones in part are served from. */
  readonly cacheFolder: string;
  readonly input: Readable;
  /** For the protocol alone. */
  readonly output: Writable;
  /** For people: takes text as it is. */
  readonly say: (text: string) => void;
  /** As in {@link openRepository}. */
  readonly layout?: Layout | undefined;
  readonly zip?: boolean;
  readonly lockTtl?: number | undefined;
  /** Tells of each request, whatever git says of verbosity. */
  readonly verbose?: boolean;
  readonly singleWriter?: boolean;
}

const CAPABILITIES = ["fetch", "push", "option", "object-format", "check-connectivity", "stateless-connect"];

/** From here on git's users want to know what happens. */
const VERBOSE = 2;

/**
 * Speaks with git about a repository in a store, over standard input and output (git: Documentation/gitremote-helpers).
 * @returns the exit code
 */
export async function runHelper(o: HelperOptions): Promise<number> {
  const helper = new Helper(o);
  // It may fail before anybody waits for it.
  o.store.catch(() => undefined);
  try {
    await helper.run();
    return 0;
  } catch (error) {
    if (!(error instanceof GitStoreError || error instanceof StorageError || error instanceof GitError)) throw error;
    o.say(`fatal: ${error.message}\n`);
    return 128;
  } finally {
    await helper.close();
  }
}

class Helper {
  readonly #o: HelperOptions;
  readonly #git: LocalGit;
  readonly #input: Input;
  readonly #options = noOptions();
  #opened: Promise<ObjectStore> | undefined;
  #repository: RemoteRepository | undefined;
  /** What holds off `git gc` until the refs are there, which they are when git ends the session. */
  readonly #kept: string[] = [];

  constructor(o: HelperOptions) {
    this.#o = o;
    this.#git = new LocalGit(o.gitDir ?? ".git");
    this.#input = new Input(o.input);
  }

  async run(): Promise<void> {
    const fetches: string[] = [];
    const pushes: PushLine[] = [];
    for (let line = await this.#input.line(); line !== undefined; line = await this.#input.line()) {
      const [, command = "", rest = ""] = /^([^ ]*) ?(.*)$/s.exec(line) ?? [];
      switch (command) {
        case "capabilities":
          await this.#answer([...CAPABILITIES, ""]);
          break;
        case "option": {
          const [, name = "", value = "true"] = /^([^ ]+)(?: (.*))?$/s.exec(rest) ?? [];
          await this.#answer([setOption(this.#options, name, value)]);
          break;
        }
        case "list":
          await this.#list(rest === "for-push");
          break;
        case "stateless-connect":
          if (await this.#connect(rest)) return;
          break;
        case "fetch":
          fetches.push(rest.split(" ")[0] ?? "");
          break;
        case "push":
          pushes.push(parsePush(rest));
          break;
        case "":
          // The end of a batch; or, after none, of the session.
          if (fetches.length > 0) await this.#fetch(fetches.splice(0));
          else if (pushes.length > 0) await this.#push(pushes.splice(0));
          else return;
          break;
        default:
          throw new GitStoreError(
            "unsupported",
            `git asked for ${JSON.stringify(command)}, which this helper does not know`,
          );
      }
    }
  }

  async close(): Promise<void> {
    // After a failure, git may be waiting for an answer that does not come: it is to see the end instead.
    this.#o.input.destroy();
    await Promise.all(this.#kept.map((path) => rm(path, { force: true })));
    await (await this.#o.store.catch(() => undefined))?.close();
  }

  async #list(forPush: boolean): Promise<void> {
    // The local repository will be asked about itself; meanwhile the store answers.
    if (forPush) for (const asked of [this.#git.objectFormat(), this.#git.isPartial()]) asked.catch(() => undefined);
    const listing = await this.#look();
    const lines: string[] = [];
    if (this.#options.objectFormat) {
      lines.push(`:object-format ${listing?.objectFormat ?? (await this.#git.objectFormat())}`);
    }
    // A push that mirrors would delete it; a clone that is told of a branch that is not there yet ends up without any.
    if (!forPush && listing?.head !== undefined && listing.refs.has(listing.head)) lines.push(`@${listing.head} HEAD`);
    for (const [ref, { oid }] of listing?.refs ?? []) lines.push(`${oid} ${ref}`);
    await this.#answer([...lines, ""]);
  }

  async #look(): Promise<Opened["listing"]> {
    if (this.#repository !== undefined) return await this.#repository.list();
    const { repository, listing } = await this.#open(this.#git);
    this.#repository = repository;
    return listing;
  }

  async #fetch(wants: readonly string[]): Promise<void> {
    if (this.#repository === undefined)
      throw new GitStoreError("unsupported", "git wants objects and has not listed any");
    const kept = await this.#repository.fetch(wants);
    // Git takes note of one only; all of them go when it is done.
    this.#kept.push(...kept);
    const isChecked = this.#options.checkConnectivity && (await this.#git.isComplete(wants));
    await this.#answer([
      ...kept.slice(0, 1).map((path) => `lock ${path}`),
      ...(isChecked ? ["connectivity-ok"] : []),
      "",
    ]);
  }

  async #push(lines: readonly PushLine[]): Promise<void> {
    if (this.#repository === undefined)
      throw new GitStoreError("unsupported", "git pushes and has not listed any refs");
    const results = await this.#repository.push(lines, this.#options);
    await this.#answer([
      ...results.map(({ ref, refused }) => (refused === undefined ? `ok ${ref}` : `error ${ref} ${refused}`)),
      "",
    ]);
    await this.#repository.tidy?.();
  }

  /** Is a server of git's protocol, where that gives git what lists and packs cannot. @returns whether it was, to the end */
  async #connect(service: string): Promise<boolean> {
    if (service !== "git-upload-pack" || !(await this.#isPartial())) {
      await this.#answer(["fallback"]);
      return false;
    }
    await this.#answer([""]);
    const [{ Cache }, { serveUploadPack }] = await Promise.all([import("./cache.ts"), import("./connect.ts")]);
    const cache = Cache.at(this.#o.cacheFolder, this.#o.url);
    await serveUploadPack({
      cache,
      open: () => this.#open(cache.git),
      input: this.#input,
      write: (bytes) => this.#write(bytes),
      fromPromisor: this.#options.fromPromisor,
    });
    return true;
  }

  /** Whether git has asked for a part, or has one only. */
  async #isPartial(): Promise<boolean> {
    if (this.#options.partial || this.#options.fromPromisor) return true;
    if (this.#o.gitDir === undefined) return false;
    // One of its own: by what is listed later, a clone that is just being made becomes one of another format.
    const git = new LocalGit(this.#o.gitDir);
    const [cut, isPartial] = await Promise.all([git.shallowCommits(), git.isPartial()]);
    return cut.size > 0 || isPartial;
  }

  async #open(git: LocalGit): Promise<Opened> {
    const { url, layout, say, lockTtl, zip = false, singleWriter = false } = this.#o;
    const store = await this.#store();
    const draw = this.#options.progress && this.#options.verbosity > 0 ? say : undefined;
    const dropsNothing = git !== this.#git;
    return await openRepository({ store, git, url, layout, zip, lockTtl, singleWriter, dropsNothing, say, draw });
  }

  #store(): Promise<ObjectStore> {
    const isVerbose = this.#o.verbose === true || this.#options.verbosity >= VERBOSE;
    this.#opened ??= this.#o.store.then((store) =>
      isVerbose ? new TraceLayer(store, (line) => this.#o.say(`holdall: ${line}\n`)) : store,
    );
    return this.#opened;
  }

  async #answer(lines: readonly string[]): Promise<void> {
    await this.#write(bytesOf(lines.map((line) => `${line}\n`).join("")));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (!this.#o.output.write(bytes)) await once(this.#o.output, "drain");
  }
}

/** `[+]<source>:<ref>` */
function parsePush(text: string): PushLine {
  const force = text.startsWith("+");
  const spec = force ? text.slice(1) : text;
  const at = spec.indexOf(":");
  const source = spec.slice(0, at);
  return { source: source === "" ? undefined : source, ref: spec.slice(at + 1), force };
}
