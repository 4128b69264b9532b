import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { Readable, Writable } from "node:stream";
import { runHelper } from "@holdall/git-remote";
import { compact, type Draft, entryOf, GitStore, LocalGit, Packs } from "@holdall/git-store";
import type { ObjectStore } from "@holdall/object-store";
import type { Person } from "./person.ts";

/** From here on the helper merges packs. */
const MANY_PACKS = 11;

/** Pushes a bare repository's commits one after another without as many starts of programs as git and a helper need. */
export class QuickPusher {
  readonly #ada: Person;
  readonly #folder: string;
  readonly #store: ObjectStore;
  readonly #git: GitStore;
  readonly #local: LocalGit;

  /** @param store whose root is the remote; it stays open */
  constructor(ada: Person, folder: string, store: ObjectStore) {
    this.#ada = ada;
    this.#folder = folder;
    this.#store = store;
    this.#git = new GitStore(store);
    this.#local = LocalGit.apart(ada.path(folder));
  }

  /** As the helper does it when git has told it to, in this process. */
  async push(oid: string, ref = "refs/heads/main"): Promise<void> {
    let said = "";
    const listen = (text: string): void => void (said += text);
    const lines = ["option verbosity 0", "list for-push", `push ${oid}:${ref}`, "", ""];
    const code = await runHelper({
      url: "quick:",
      store: Promise.resolve(this.#store),
      gitDir: this.#ada.path(this.#folder),
      cacheFolder: this.#ada.path("cache"),
      input: Readable.from([Buffer.from(lines.map((line) => `${line}\n`).join(""))]),
      output: new Writable({
        write(chunk: Buffer, _, done) {
          listen(chunk.toString());
          done();
        },
      }),
      say: listen,
    });
    assert.ok(code === 0 && said.includes(`ok ${ref}\n`), said);
  }

  /** Only what a push leaves in the store: its pack in the manifest; and packs merged when the helper would do so. */
  async leave(oid: string): Promise<void> {
    const now = await this.#git.read();
    const from = now?.manifest.refs.get("refs/heads/main")?.oid;
    const out = await mkdtemp(this.#ada.path("pack-"));
    const files = await this.#local.makePack(out, { wants: [oid], haves: from === undefined ? [] : [from] });
    assert.ok(files !== undefined);
    const after = await this.#git.commit(
      {
        log: { what: "push" },
        make: (then) => {
          const { refs, packs, ...rest }: Draft["next"] = then ?? EMPTY;
          return {
            next: {
              ...rest,
              refs: new Map(refs).set("refs/heads/main", { oid }),
              packs: [...packs, entryOf(files)],
            },
            updates: [{ ref: "refs/heads/main", ...(from === undefined ? {} : { from }), to: oid }],
          };
        },
      },
      now,
      async () => await new Packs(this.#store).put(files),
    );
    await rm(out, { recursive: true });
    const isTime = after !== undefined && after.manifest.packs.length >= MANY_PACKS;
    if (isTime) await compact({ git: this.#git, store: this.#store }, after);
  }
}

const EMPTY: Draft["next"] = {
  objectFormat: "sha1",
  head: "refs/heads/main",
  refs: new Map(),
  packs: [],
  retired: [],
  deleting: [],
  rules: [],
};

/** A bare repository with so many commits on its branch, each of which changes one line of one of its files. @returns them */
export async function manyCommits(ada: Person, folder: string, count: number): Promise<readonly string[]> {
  await ada.git(".", "init", "--quiet", "--bare", folder);
  const lines = Array.from({ length: count }, (_, at) => [
    "commit refs/heads/main",
    `committer Ada <ada@example.invalid> ${1_700_000_000 + at} +0000`,
    `data <<END\ncommit ${at}\nEND`,
    `M 100644 inline folder-${at % 7}/file-${at % 31}`,
    `data <<END\nline ${at}\nEND`,
  ]);
  await ada.feed(folder, ["fast-import", "--quiet"], lines.flat());
  return (await ada.git(folder, "rev-list", "--reverse", "main")).split("\n");
}
