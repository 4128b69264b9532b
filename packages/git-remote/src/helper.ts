import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { GitError, GitStore, GitStoreError, LocalGit, Packs, type Snapshot } from "@holdall/git-store";
import { StorageError, type ObjectStore } from "@holdall/object-store";
import { fetchObjects } from "./fetch.ts";
import { Installed } from "./installed.ts";
import { noOptions, setOption } from "./options.ts";
import { pushRefs, type PushLine } from "./push.ts";

export interface HelperOptions {
  /** As git was given it. */
  readonly url: string;
  /** Opened when the first command needs it. Its root is the repository. */
  readonly open: () => Promise<ObjectStore>;
  /** The repository that git works on. */
  readonly gitDir: string;
  readonly input: Readable;
  /** For the protocol alone. */
  readonly output: Writable;
  /** For people. */
  readonly say: (text: string) => void;
  readonly singleWriter?: boolean;
}

const CAPABILITIES = ["fetch", "push", "option", "object-format", "check-connectivity"];

/**
 * Speaks with git about a repository in a store, over standard input and output (git: Documentation/gitremote-helpers).
 * @returns the exit code
 */
export async function runHelper(o: HelperOptions): Promise<number> {
  const helper = new Helper(o);
  try {
    await helper.run();
    return 0;
  } catch (error) {
    if (!(error instanceof GitStoreError || error instanceof StorageError || error instanceof GitError)) throw error;
    o.say(`fatal: ${error.message}`);
    return 128;
  } finally {
    await helper.close();
  }
}

class Helper {
  readonly #o: HelperOptions;
  readonly #git: LocalGit;
  readonly #installed: Installed;
  readonly #options = noOptions();
  #opened: Promise<ObjectStore> | undefined;
  #snapshot: Snapshot | undefined;
  /** What holds off `git gc` until the refs are there, which they are when git ends the session. */
  readonly #kept: string[] = [];

  constructor(o: HelperOptions) {
    this.#o = o;
    this.#git = new LocalGit(o.gitDir);
    this.#installed = new Installed(this.#git, o.url);
  }

  async run(): Promise<void> {
    const fetches: string[] = [];
    const pushes: PushLine[] = [];
    for await (const line of createInterface({ input: this.#o.input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const [, command = "", rest = ""] = /^(\S*) ?(.*)$/.exec(line) ?? [];
      switch (command) {
        case "capabilities":
          this.#answer([...CAPABILITIES, ""]);
          break;
        case "option": {
          const [, name = "", value = "true"] = /^(\S+)(?: (.*))?$/.exec(rest) ?? [];
          this.#answer([setOption(this.#options, name, value)]);
          break;
        }
        case "list":
          await this.#list(rest === "for-push");
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
    await Promise.all(this.#kept.map((path) => rm(path, { force: true })));
    await (await this.#opened)?.close();
  }

  async #list(forPush: boolean): Promise<void> {
    this.#snapshot = await new GitStore(await this.#store()).read();
    const manifest = this.#snapshot?.manifest;
    const lines: string[] = [];
    if (this.#options.objectFormat) {
      lines.push(`:object-format ${manifest?.objectFormat ?? (await this.#git.objectFormat())}`);
    }
    for (const [ref, { oid }] of manifest?.refs ?? []) lines.push(`${oid} ${ref}`);
    // A push that mirrors would delete it.
    if (!forPush && manifest !== undefined) lines.push(`@${manifest.head} HEAD`);
    this.#answer([...lines, ""]);
  }

  async #fetch(wants: readonly string[]): Promise<void> {
    const manifest = this.#snapshot?.manifest;
    if (manifest === undefined) throw new GitStoreError("corrupt", "git wants objects of a repository that is empty");
    const store = await this.#store();
    const kept = await fetchObjects(manifest, wants, {
      git: this.#git,
      packs: new Packs(store),
      installed: this.#installed,
      again: async () => (await new GitStore(store).read())?.manifest,
    });
    // Git takes note of one only; all of them go when it is done.
    this.#kept.push(...kept);
    this.#answer([...kept.slice(0, 1).map((path) => `lock ${path}`), ""]);
  }

  async #push(lines: readonly PushLine[]): Promise<void> {
    const store = await this.#store();
    const { dryRun, atomic, leases, pushOptions } = this.#options;
    const results = await pushRefs(lines, {
      git: this.#git,
      store: new GitStore(store, { singleWriter: this.#o.singleWriter ?? false }),
      packs: new Packs(store),
      installed: this.#installed,
      listed: this.#snapshot,
      atomic,
      dryRun,
      leases,
      options: pushOptions,
    });
    this.#answer([
      ...results.map(({ ref, refused }) => (refused === undefined ? `ok ${ref}` : `error ${ref} ${refused}`)),
      "",
    ]);
  }

  #store(): Promise<ObjectStore> {
    this.#opened ??= this.#o.open();
    return this.#opened;
  }

  #answer(lines: readonly string[]): void {
    this.#o.output.write(lines.map((line) => `${line}\n`).join(""));
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
