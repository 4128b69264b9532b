import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CHECKOUT } from "../holdall.ts";
import { eventually } from "../eventually.ts";
import type { Person } from "./person.ts";

/** A command of git's that is ended before its time, alone or with its helper. */
export class Mortal {
  readonly #child: ChildProcess;
  readonly #pidFile: string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;

  private constructor(child: ChildProcess, pidFile: string) {
    this.#child = child;
    this.#pidFile = pidFile;
    this.ended = once(child, "close").then(([code, signal]: unknown[]) =>
      typeof code === "number" ? code : String(signal),
    );
  }

  /** Starts git in a process group of its own, with helpers that say who they are. */
  static async start(ada: Person, folder: string, ...args: readonly string[]): Promise<Mortal> {
    const bin = ada.path(".bin");
    const pidFile = ada.path(".helper");
    await mkdir(bin, { recursive: true });
    for (const name of ["git-remote-s3", "git-remote-holdall"]) {
      const program = join(CHECKOUT, "node_modules", ".bin", name);
      await writeFile(join(bin, name), `#!/bin/sh\necho $$ > '${pidFile}'\nexec '${program}' "$@"\n`);
      await chmod(join(bin, name), 0o755);
    }
    const env = { ...ada.env, PATH: [bin, ada.env["PATH"]].join(delimiter) };
    const child = spawn("git", args, { cwd: ada.path(folder), env, detached: true, stdio: "ignore" });
    await once(child, "spawn");
    return new Mortal(child, pidFile);
  }

  /** Kills the helper, so that nothing of it has time for anything. */
  async killHelper(): Promise<void> {
    process.kill(await this.#helper(), "SIGKILL");
  }

  /** Kills git, and not its helper. */
  killGit(): void {
    this.#child.kill("SIGKILL");
  }

  /** What a terminal sends to everything that runs in it, by somebody who is impatient; git passes it on once more. */
  interrupt(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    for (let time = 0; time < 20; time += 1) process.kill(-pid, "SIGINT");
  }

  /** Until nothing of it runs any more. */
  async gone(): Promise<void> {
    await this.ended;
    const pid = await this.#helper();
    await eventually("the helper has ended", () => !isAlive(pid));
  }

  async #helper(): Promise<number> {
    return Number(await readFile(this.#pidFile, "utf8"));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
