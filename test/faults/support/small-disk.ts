import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { atEnd } from "../../support/at-end.ts";
import { skip } from "../../support/require.ts";
import { runWell } from "../../support/run.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

// Root need not be mapped to itself; all others need it in order to mount.
const USER = process.getuid?.() === 0 ? [] : ["--map-root-user"];
const ENTER_USER = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];

/**
 * A file system of a few MiB in memory, which only processes that are started under {@link enter} see at its place.
 * A process holds it; with that the disk goes.
 */
export class SmallDisk {
  /** Where it is for processes under {@link enter}. */
  readonly path: string;
  /** Where it is for everybody else. */
  readonly outside: string;
  /** A command that runs the one that follows it where the disk is. */
  readonly enter: readonly string[];

  private constructor(path: string, holder: number) {
    this.path = path;
    this.outside = join(`/proc/${holder}/root`, path);
    this.enter = ["nsenter", `--target=${holder}`, ...ENTER_USER, "--mount"];
  }

  /** Undefined, and the test skipped, where that is not allowed or not possible. */
  static async mount(t: TestContext, size: string): Promise<SmallDisk | undefined> {
    const path = await temporaryFolder(t, "disk");
    if (process.platform !== "linux") return skipped(t, "only Linux gives file systems to one process");
    const script = `mount -t tmpfs -o size=${size} tmpfs "$0" && echo mounted && exec cat`;
    const holder = spawn("unshare", [...USER, "--mount", "sh", "-c", script, path], { stdio: "pipe" });
    const said = await firstWords(holder);
    if (holder.pid === undefined || said !== "mounted\n") return skipped(t, `cannot mount a small disk: ${said}`);
    atEnd(t, async () => {
      const ended = once(holder, "exit");
      holder.stdin.end();
      await ended;
    });
    return new SmallDisk(path, holder.pid);
  }

  /** Takes so many bytes of the disk. @returns what gives them back */
  async fill(bytes: number): Promise<() => Promise<void>> {
    const file = join(this.outside, "filler");
    await writeFile(file, Buffer.alloc(bytes));
    return () => rm(file);
  }

  async makeReadOnly(): Promise<void> {
    await this.#run("mount", "-o", "remount,bind,ro", this.path);
  }

  /** Makes any file read-only for processes under {@link enter}, root's too: permission bits would not stop them. */
  async makeReadOnlyInside(file: string): Promise<void> {
    const stand = join(this.path, "stand-in");
    await this.#run("cp", "-p", file, stand);
    await this.#run("mount", "-o", "remount,bind,ro", this.path);
    await this.#run("mount", "--bind", stand, file);
  }

  async #run(...command: readonly string[]): Promise<void> {
    const [program = "", ...args] = [...this.enter, ...command];
    await runWell(program, args);
  }
}

function skipped(t: TestContext, reason: string): undefined {
  skip(t, reason);
  return undefined;
}

async function firstWords(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<string> {
  const words = (async (): Promise<string> => {
    const [out] = await Promise.race([once(child.stdout, "data"), once(child.stderr, "data"), once(child, "exit")]);
    return String(out);
  })();
  return await Promise.race([words, once(child, "error").then(([error]) => String(error))]);
}
