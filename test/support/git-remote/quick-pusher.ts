import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { runHelper } from "@holdall/git-remote";
import type { ObjectStore } from "@holdall/object-store";
import type { Person } from "./person.ts";

/**
 * Pushes a repository's commits one after another, each by the helper as git runs it, but in this process: many pushes without
 * as many starts of programs.
 */
export class QuickPusher {
  readonly #ada: Person;
  readonly #folder: string;
  readonly #store: ObjectStore;

  /** @param folder a bare repository. @param store whose root is the remote; it stays open */
  constructor(ada: Person, folder: string, store: ObjectStore) {
    this.#ada = ada;
    this.#folder = folder;
    this.#store = store;
  }

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
}

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
