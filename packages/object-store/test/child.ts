import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

/** Another process, running a program of this folder, that does not outlive the test. */
export class Child {
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown[]>;
  /** What it prints, line by line. */
  readonly lines: AsyncIterator<string>;

  constructor(t: TestContext, program: string, ...args: string[]) {
    const path = new URL(`${program}.ts`, import.meta.url).pathname;
    this.#process = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#exit = once(this.#process, "close");
    const { stdout } = this.#process;
    if (stdout === null) throw new Error("the child has no standard output");
    this.lines = createInterface(stdout)[Symbol.asyncIterator]();
    t.after(() => this.kill());
  }

  /** Tells it to go on. */
  go(): void {
    this.#process.stdin?.end("go\n");
  }

  /** As nothing can prevent: no handler runs, no file is closed by the program. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exit;
  }

  /** @throws Error unless it exits with 0 */
  async end(): Promise<void> {
    const [code] = await this.#exit;
    if (code !== 0) throw new Error(`the child exited with ${String(code)}`);
  }
}
