import { execFileSync } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalGit } from "@holdall/git-store";
import { parseKey, type ObjectStore } from "@holdall/object-store";

const ENV = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
};

/** A repository of the test's own, and what git-remote-s3 would make of it in a store. */
export class Bench {
  readonly folder: string;
  readonly git: LocalGit;
  #bundles = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.git = new LocalGit(join(folder, ".git"));
  }

  static async create(t: { readonly after: (undo: () => Promise<void>) => void }, format = "sha1"): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), "holdall-bench-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const bench = new Bench(folder);
    bench.do("init", "--quiet", "--initial-branch=main", `--object-format=${format}`);
    return bench;
  }

  do(...args: readonly string[]): string {
    return execFileSync("git", ["-C", this.folder, ...args], { encoding: "utf8", env: ENV }).trim();
  }

  async commit(name: string): Promise<string> {
    await writeFile(join(this.folder, `${name}.txt`), `${name}\n`.repeat(50));
    this.do("add", ".");
    this.do("commit", "--quiet", "-m", name);
    return this.do("rev-parse", "HEAD");
  }

  /** @returns the path of a bundle of what the revision names, made by git itself */
  async bundle(revision: string): Promise<string> {
    this.#bundles += 1;
    const path = join(this.folder, ".git", `${this.#bundles}.bundle`);
    this.do("update-ref", "refs/bundled/it", revision);
    this.do("bundle", "create", "--quiet", path, "refs/bundled/it");
    return path;
  }

  /** Puts a bundle where git-remote-s3 would. @returns its oid */
  async publish(store: ObjectStore, ref: string, revision: string = ref): Promise<string> {
    const path = await this.bundle(revision);
    const oid = this.do("rev-parse", revision);
    const { size } = await stat(path);
    await store.put(parseKey(`${ref}/${oid}.bundle`), createReadStream(path), { size });
    return oid;
  }
}

export async function putText(store: ObjectStore, key: string, text = ""): Promise<void> {
  const bytes = Buffer.from(text);
  const body = (async function* () {
    yield bytes;
  })();
  await store.put(parseKey(key), body, { size: bytes.length });
}

export async function keysOf(store: ObjectStore, prefix = ""): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix))).map(({ key }) => key);
}

export type Call = "put" | "copy" | "delete" | "stat" | "get";

/**
 * The same store; before each call that it passes on, `before` is asked, and after it `after`. What they throw is what the caller
 * hears: after the call, of an answer that was lost.
 */
export function watched(
  store: ObjectStore,
  o: {
    readonly before?: (call: Call, args: readonly unknown[]) => Promise<void> | void;
    readonly after?: (call: Call, args: readonly unknown[]) => Promise<void> | void;
  },
): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (!isCall(name)) return value.bind(target) as unknown;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        await o.before?.(name, args);
        const result: unknown = await Reflect.apply(value, target, args);
        await o.after?.(name, args);
        return result;
      };
    },
  });
}

function isCall(name: string | symbol): name is Call {
  return name === "put" || name === "copy" || name === "delete" || name === "stat" || name === "get";
}
