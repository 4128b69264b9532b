import { type EventEmitter, once } from "node:events";
import type { Worker } from "node:worker_threads";
import { MetadataError } from "../errors.ts";
import { sqliteError } from "./errors.ts";
import type { Outcome, Request, Result, Statement } from "./messages.ts";

interface Unit extends PromiseWithResolvers<readonly Result[]> {
  readonly statements: readonly Statement[];
}

/** What the connection lives in: a thread, as far as the writer knows it. */
export type WriterThread = Pick<Worker, "postMessage" | "ref" | "unref"> & EventEmitter;

/**
 * The way to the one connection of this process that writes. It lives in a thread, so neither an fsync nor another
 * process's lock holds up the event loop. While the thread works, writes gather; they share its next transaction.
 */
export class Writer {
  readonly #file: string;
  readonly #startThread: () => WriterThread;
  #thread: WriterThread | undefined;
  #answer: PromiseWithResolvers<readonly Outcome[]> | undefined;
  /** Why nothing can be written any more. */
  #ended: MetadataError | undefined;
  #waiting: Unit[] = [];
  /** Settles when everyone who has asked for a turn with the thread has had it. */
  #turns: Promise<void> = Promise.resolve();

  /** Starts no thread yet: `startThread`, which runs `writer-thread.ts`, is called at the first use. */
  constructor(file: string, startThread: () => WriterThread) {
    this.#file = file;
    this.#startThread = startThread;
  }

  /** @throws MetadataError when nothing can be written any more */
  check(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** Runs the statements all or nothing; resolves when they are durable. */
  write(statements: readonly Statement[]): Promise<readonly Result[]> {
    const unit: Unit = { statements, ...Promise.withResolvers<readonly Result[]>() };
    this.#waiting.push(unit);
    if (this.#waiting.length === 1) void this.#turn(() => this.#writeWaiting());
    return unit.promise;
  }

  /** Begins a transaction that has the thread to itself until it ends. */
  async begin(): Promise<WriteTransaction> {
    const turn = await new Promise<PromiseWithResolvers<void>>((resolve) => {
      void this.#turn(() => {
        const ends = Promise.withResolvers<void>();
        resolve(ends);
        return ends.promise;
      });
    });
    const ask = async (request: Request): Promise<readonly Result[]> => {
      const [outcome] = await this.#ask(request);
      return this.#results(outcome);
    };
    try {
      await ask({ do: "begin" });
    } catch (error) {
      turn.resolve();
      throw error;
    }
    return new WriteTransaction(ask, turn.resolve);
  }

  /** Ends the thread after the writes so far; refuses later ones. */
  close(): Promise<void> {
    return this.#turn(async () => {
      const thread = this.#thread;
      if (thread === undefined || this.#ended !== undefined) {
        this.#ended ??= this.#closed();
        return;
      }
      const exit = once(thread, "exit");
      const answer = this.#ask({ do: "close" });
      this.#ended = this.#closed();
      const [outcome] = await answer;
      thread.ref();
      await exit;
      this.#results(outcome);
    });
  }

  async #writeWaiting(): Promise<void> {
    const units = this.#waiting;
    this.#waiting = [];
    try {
      const outcomes = await this.#ask({ do: "write", units: units.map(({ statements }) => statements) });
      units.forEach((unit, index) => {
        try {
          unit.resolve(this.#results(outcomes[index]));
        } catch (error) {
          unit.reject(error);
        }
      });
    } catch (error) {
      for (const unit of units) unit.reject(error);
    }
  }

  #turn<T>(use: () => Promise<T>): Promise<T> {
    const used = this.#turns.then(use);
    // A failure belongs to whoever had the turn, not to the next.
    this.#turns = used.then(
      () => undefined,
      () => undefined,
    );
    return used;
  }

  /** Only within a turn: the thread takes one request at a time. */
  async #ask(request: Request): Promise<readonly Outcome[]> {
    this.check();
    this.#thread ??= this.#start();
    this.#answer = Promise.withResolvers<readonly Outcome[]>();
    // The process stays for an answer, and for nothing else of the thread.
    this.#thread.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows, not for threads
    this.#thread.postMessage(request);
    return await this.#answer.promise;
  }

  #start(): WriterThread {
    const thread = this.#startThread();
    let cause: unknown;
    thread.on("message", (outcomes: readonly Outcome[]) => {
      thread.unref();
      this.#answer?.resolve(outcomes);
    });
    thread.on("error", (error) => {
      cause = error;
    });
    thread.on("exit", (code) => {
      this.#ended ??= new MetadataError(
        "unavailable",
        `the thread that writes to ${this.#file} ended by itself (exit code ${code}), so nothing can be written; ` +
          "what it had not acknowledged may or may not be there. Restart the program",
        { cause },
      );
      this.#answer?.reject(this.#ended);
    });
    return thread;
  }

  #results(outcome: Outcome | undefined): readonly Result[] {
    if (outcome === undefined) throw new TypeError("the writer thread gave fewer answers than it had units");
    if ("failure" in outcome) throw sqliteError(this.#file, outcome.failure);
    return outcome.results;
  }

  #closed(): MetadataError {
    return new MetadataError("unavailable", `${this.#file} is closed; open it again`);
  }
}

/** A transaction of several round trips. Whoever began it calls `commit`, and `rollback` if anything failed before or in it. */
export class WriteTransaction {
  readonly #ask: (request: Request) => Promise<readonly Result[]>;
  readonly #end: () => void;

  constructor(ask: (request: Request) => Promise<readonly Result[]>, end: () => void) {
    this.#ask = ask;
    this.#end = end;
  }

  execute(statement: Statement): Promise<readonly Result[]> {
    return this.#ask({ do: "execute", statement });
  }

  async commit(): Promise<void> {
    await this.#ask({ do: "commit" });
    this.#end();
  }

  async rollback(): Promise<void> {
    try {
      await this.#ask({ do: "rollback" });
    } finally {
      this.#end();
    }
  }
}
