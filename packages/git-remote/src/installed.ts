import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type LocalGit, Temporary } from "@holdall/git-store/core";

/**
 * Which packs of a remote have been installed in this clone. Git may have repacked them since, so the files say too little; the
 * note may be older than a change by hand, so it is a hint only.
 */
export class Installed {
  readonly #git: LocalGit;
  readonly #url: string;

  constructor(git: LocalGit, url: string) {
    this.#git = git;
    this.#url = url;
  }

  /** Those of the names that have been installed by the note, and those whose files are there as they came. */
  async among(
    names: readonly string[],
  ): Promise<{ readonly noted: ReadonlySet<string>; readonly files: ReadonlySet<string> }> {
    const [noted, files] = [new Set(await this.#noted()), new Set(await this.#files())];
    return {
      noted: new Set(names.filter((name) => noted.has(name))),
      files: new Set(names.filter((name) => files.has(`${name}.idx`))),
    };
  }

  /** Notes that these are, beside those that were. @param current what the remote still names; all else is forgotten */
  async add(names: readonly string[], current: readonly string[]): Promise<void> {
    const noted = new Set([...(await this.#noted()), ...names]);
    const lines = current.filter((name) => noted.has(name)).map((name) => `${name}\n`);
    try {
      const path = await this.#path();
      await using temporary = new Temporary(`${path}.${process.pid}`);
      await writeFile(temporary.path, lines.join(""));
      await rename(temporary.path, path);
    } catch {
      // What is not noted may be fetched again; what was just pushed, or fetched, is no less so.
    }
  }

  async #noted(): Promise<string[]> {
    try {
      return (await readFile(await this.#path(), "utf8")).split("\n");
    } catch {
      return [];
    }
  }

  async #files(): Promise<string[]> {
    try {
      return await readdir(await this.#git.packFolder());
    } catch {
      return [];
    }
  }

  async #path(): Promise<string> {
    const folder = await this.#git.noteFolder();
    await mkdir(folder, { recursive: true });
    return join(folder, `packs-${createHash("sha256").update(this.#url).digest("hex").slice(0, 16)}`);
  }
}
