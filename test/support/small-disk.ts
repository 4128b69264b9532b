import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";
import { skip } from "./require.ts";
import { runWell } from "./run.ts";
import { temporaryFolder } from "./temporary-folder.ts";

// Root need not be mapped to itself; all others need it in order to mount.
const USER = process.getuid?.() === 0 ? [] : ["--map-root-user"];
const ENTER_USER = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
const SUDO = ["sudo", "-n"];

/** For a shell, with the folder and the size. */
const MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$0" && echo mounted';

/**
 * A file system of a few MiB in memory, for processes that are started under {@link enter}. It is mounted in a namespace
 * that nobody else sees; where users may not have one, by sudo, for all to see. A process holds it: with that the disk
 * goes, and with the test's own process that one.
 */
export class SmallDisk {
  /** Where it is for processes under {@link enter}. */
  readonly path: string;
  /** Where it is for everybody else. */
  readonly outside: string;
  /** A command that turns into the one that follows it, where the disk is; none when it is there for all. */
  readonly enter: readonly string[];
  /** A command that runs the one that follows it with the right to mount. */
  readonly #asRoot: readonly string[];

  private constructor(o: { path: string; outside: string; enter: readonly string[]; asRoot: readonly string[] }) {
    this.path = o.path;
    this.outside = o.outside;
    this.enter = o.enter;
    this.#asRoot = o.asRoot;
  }

  /**
   * An empty disk.
   * @param size as `mount` understands it: `16m`
   * @returns undefined, and the test skipped, where that is not allowed or not possible
   */
  static async mount(t: TestContext, size: string): Promise<SmallDisk | undefined> {
    if (process.platform !== "linux") return skipped(t, "a small disk is a tmpfs, which only Linux has");
    const path = await temporaryFolder(t, "disk");
    const arguments_ = [path, size];

    const script = `${MOUNT} && exec cat`;
    const inside = await Holder.start(t, ["unshare", ...USER, "--mount", "sh", "-c", script, ...arguments_]);
    if (inside.holds) {
      const enter = ["nsenter", `--target=${inside.pid}`, ...ENTER_USER, "--mount"];
      return new SmallDisk({ path, outside: join(`/proc/${inside.pid}/root`, path), enter, asRoot: enter });
    }
    // -l: with all that is mounted on top of it.
    const seen = await Holder.start(t, [...SUDO, "sh", "-c", `${MOUNT} && cat && umount -l "$0"`, ...arguments_]);
    if (seen.holds) return new SmallDisk({ path, outside: path, enter: [], asRoot: SUDO });
    return skipped(t, `cannot mount a small disk. unshare: ${inside.said}; ${SUDO.join(" ")}: ${seen.said}`);
  }

  /** Takes so many bytes of the disk. @returns what gives them back */
  async fill(bytes: number): Promise<() => Promise<void>> {
    const file = join(this.outside, "filler");
    await writeFile(file, Buffer.alloc(bytes));
    return () => rm(file);
  }

  async makeReadOnly(): Promise<void> {
    await this.#mount("-o", "remount,bind,ro", this.path);
  }

  /** Makes a file on the disk read-only for root too, whom permission bits would not stop. */
  async makeFileReadOnly(file: string): Promise<void> {
    await this.#mount("--bind", file, file);
    await this.#mount("-o", "remount,bind,ro", file);
  }

  async #mount(...args: readonly string[]): Promise<void> {
    const [program = "", ...rest] = [...this.#asRoot, "mount", ...args];
    await runWell(program, rest);
  }
}

/** A process that holds a disk for as long as the test runs. */
class Holder {
  readonly pid: number | undefined;
  /** What it said first, or how it failed. */
  readonly said: string;

  private constructor(pid: number | undefined, said: string) {
    this.pid = pid;
    this.said = said;
  }

  get holds(): boolean {
    return this.said === "mounted";
  }

  /** Starts a command that says `mounted` when it has, and gives the disk up at the end of its standard input. */
  static async start(t: TestContext, [program = "", ...args]: readonly string[]): Promise<Holder> {
    // A process group of its own: Ctrl-C is not to end it before it has unmounted.
    const child = spawn(program, args, { stdio: "pipe", detached: true });
    const ended = new Promise<string>((resolve) => {
      child.once("error", ({ message }) => resolve(message));
      child.once("close", (code, signal) => resolve(`exit ${code ?? signal}`));
    });
    atEnd(t, async () => {
      child.stdin.end();
      await ended;
    });
    return new Holder(child.pid, (await Promise.race([firstWords(child), ended])).trim());
  }
}

async function firstWords(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<string> {
  const [said] = await Promise.race([once(child.stdout, "data"), once(child.stderr, "data")]);
  return String(said);
}

function skipped(t: TestContext, reason: string): undefined {
  skip(t, reason);
  return undefined;
}
