import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { ObjectStore } from "@holdall/object-store/open";
import { formatAnswer, parseRequest, RequestError, type Answer, type Init, type Request } from "./messages.ts";
import { Progress } from "./progress.ts";
import type { Transfers } from "./transfers.ts";

export type { Init } from "./messages.ts";

/** Where the objects of a remote are, and where git-lfs keeps its own. */
export interface Connection {
  readonly store: ObjectStore;
  /** Names the store, and nothing secret: the same in every process that opens it. */
  readonly name: string;
  /** Of git-lfs: `lfs` in the git folder that work trees share, unless `lfs.storage` says otherwise. */
  readonly folder: string;
  /** The store is known to be git-remote-s3's, without a look. */
  readonly flat: boolean;
}

export interface AgentOptions {
  readonly input: Readable;
  /** For the protocol alone. */
  readonly output: Writable;
  /** Called when the first object is to be transferred: most processes that git-lfs starts never get one. */
  readonly connect: (init: Init) => Promise<Connection>;
  /** Aborting stops what is on its way, and leaves what a later process can go on with. */
  readonly signal: AbortSignal;
  /** For people who look for a fault. */
  readonly debug?: (line: string) => void;
}

/** Speaks with git-lfs until it says that it is done, or is gone. */
export async function runAgent(o: AgentOptions): Promise<void> {
  await using agent = new Agent(o);
  await agent.run();
}

class Agent implements AsyncDisposable {
  readonly #o: AgentOptions;
  /** Aborted, too, when nobody reads the answers any more. */
  readonly #gone = new AbortController();
  readonly #signal: AbortSignal;
  readonly #debug: (line: string) => void;
  #init: Init | undefined;
  #transfers: Promise<Transfers> | undefined;

  constructor(o: AgentOptions) {
    this.#o = o;
    this.#signal = AbortSignal.any([o.signal, this.#gone.signal]);
    this.#debug = o.debug ?? (() => undefined);
    o.output.on("error", (error) => this.#gone.abort(error));
  }

  async run(): Promise<void> {
    const lines = createInterface({
      input: this.#o.input,
      crlfDelay: Number.POSITIVE_INFINITY,
      signal: this.#signal,
    });
    for await (const line of lines) {
      if (line.trim() === "") continue;
      if (!(await this.#take(line)) || this.#signal.aborted) break;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that could not be had has said so.
    await (await this.#transfers?.catch(() => undefined))?.close();
  }

  /** @returns false when that was the last */
  async #take(line: string): Promise<boolean> {
    try {
      return await this.#perform(parseRequest(line));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#debug(`refused: ${error.message}`);
      this.#send({ event: "complete", oid: error.oid, error: { code: 400, message: error.message } });
      return true;
    }
  }

  async #perform(request: Request): Promise<boolean> {
    switch (request.event) {
      case "init":
        this.#debug(`init: ${request.operation}, remote ${request.remote}`);
        this.#init = request;
        // At once: git-lfs starts all its processes one after the other, and begins when the last has answered.
        this.#send({});
        return true;
      case "terminate":
        this.#debug("terminate");
        return false;
      case "upload":
      case "download":
        await this.#transfer(request);
        return true;
    }
  }

  async #transfer(request: Extract<Request, { event: "upload" | "download" }>): Promise<void> {
    const { event, oid, size } = request;
    const begun = performance.now();
    const progress = new Progress(oid, this.#o.output);
    const done = (how: string): void =>
      this.#debug(`${event} ${oid} (${size} bytes): ${how}, ${(performance.now() - begun).toFixed(0)} ms`);
    try {
      const transfers = await this.#connected(oid);
      const o = { signal: this.#signal, progress: (bytes: number) => progress.add(bytes) };
      const path = event === "upload" ? await transfers.upload(request, o) : await transfers.download(request, o);
      progress.end();
      this.#send({ event: "complete", oid, ...(path === undefined ? {} : { path }) });
      done("done");
    } catch (error) {
      if (error instanceof RequestError) throw error;
      if (this.#signal.aborted) return done("stopped");
      const { failureOf } = await import("./errors.ts");
      const failure = failureOf(error);
      this.#send({ event: "complete", oid, error: failure });
      done(`failed: ${failure.message}`);
    }
  }

  /** Loads what transfers need, and opens the store, when that is asked for first. */
  #connected(oid: string): Promise<Transfers> {
    const init = this.#init;
    if (init === undefined) throw new RequestError("git-lfs has not said which remote this is about", oid);
    this.#transfers ??= Promise.all([import("./transfers.ts"), this.#o.connect(init)]).then(
      ([{ Transfers }, connection]) => new Transfers(connection),
    );
    return this.#transfers;
  }

  #send(answer: Answer): void {
    this.#o.output.write(formatAnswer(answer));
  }
}
