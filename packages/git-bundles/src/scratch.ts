import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectFormat } from "@holdall/git-protocol";
import { GitStoreError, LocalGit, Temporary, type RefValue } from "@holdall/git-store";

/** A bare repository among the system's temporary files. */
export class Scratch implements AsyncDisposable {
  readonly git: LocalGit;
  readonly #folder: Temporary;

  private constructor(folder: Temporary) {
    this.#folder = folder;
    this.git = LocalGit.apart(join(folder.path, "repository"));
  }

  static async create(format: ObjectFormat): Promise<Scratch> {
    const folder = new Temporary(await mkdtemp(join(tmpdir(), "holdall-bundles-")));
    try {
      const scratch = new Scratch(folder);
      await scratch.git.init(format);
      return scratch;
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A folder of its own, which goes with the repository. */
  async made(name: string): Promise<string> {
    return await mkdtemp(join(this.#folder.path, `${name}-`));
  }

  /**
   * Gives it these refs, and has git check that all that they reach is there.
   * @returns what annotated tags come to besides
   * @throws GitStoreError `corrupt` when it is not
   */
  async check(
    refs: ReadonlyMap<string, { readonly oid: string }>,
    what: string,
  ): Promise<ReadonlyMap<string, RefValue>> {
    const sorted = [...refs].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    // As a file: git itself makes no ref of what is not there, and says less.
    await writeFile(join(this.git.gitDir, "packed-refs"), sorted.map(([ref, { oid }]) => `${oid} ${ref}\n`).join(""));
    const { code, stderr } = await this.git.tryRun(["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]);
    if (code !== 0) {
      const problem = stderr.split("\n").find((line) => line !== "" && !line.startsWith("notice:"));
      throw new GitStoreError("corrupt", `${what} is not whole: ${problem ?? `git fsck ended with ${code}`}`);
    }
    const values = new Map<string, RefValue>();
    const format = "--format=%(refname) %(objectname) %(*objectname)";
    for (const line of (await this.git.run(["for-each-ref", format])).split("\n")) {
      const [ref = "", oid = "", peeled = ""] = line.split(" ");
      if (ref !== "") values.set(ref, peeled === "" ? { oid } : { oid, peeled });
    }
    const wrong = sorted.find(([ref, { oid }]) => values.get(ref)?.oid !== oid);
    if (wrong !== undefined || values.size !== refs.size) {
      throw new GitStoreError(
        "corrupt",
        `${what} does not have the refs that it should have, such as ${wrong?.[0] ?? ""}`,
      );
    }
    return values;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
