import { join } from "node:path";
import { findService, type FoundService, type ServiceName } from "../../scripts/services.ts";
import { TemporaryFolder } from "../../test/support/temporary-folder.ts";
import { runTimed, type Timed, type TimedOptions } from "./timed-program.ts";

const MiB = 1024 * 1024;

/** The programs that the loads cannot do without. */
const NEEDED = ["git", "git-lfs", "nginx", "wrk", "curl"] as const satisfies readonly ServiceName[];

export type Programs = Readonly<Record<(typeof NEEDED)[number], FoundService>>;

/** @throws Error that names all that are missing, and what to do */
export async function findPrograms(): Promise<Programs> {
  const found: [string, FoundService][] = [];
  const missing: string[] = [];
  for (const name of NEEDED) {
    const service = await findService(name);
    if ("missing" in service) missing.push(`${name}: ${service.missing}`);
    else found.push([name, service]);
  }
  if (missing.length > 0) throw new Error(["The benchmarks need programs that are not here.", ...missing].join("\n"));
  return Object.fromEntries(found) as Programs;
}

/** Where one load is played: the programs, a place for files, and all that has to go afterwards. */
export class Stage implements AsyncDisposable {
  readonly programs: Programs;
  /** Small sizes and few rounds, to see whether a load works; its numbers mean little. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Tells whoever waits how far it is. */
  readonly say: (text: string) => void;
  readonly #leftOut = new Map<string, string>();
  readonly #over = new AbortController();
  readonly #resources = new AsyncDisposableStack();
  /** What removes the folders, and what those of the parts. */
  readonly #folders: AsyncDisposableStack;
  readonly #partFolders: AsyncDisposableStack | undefined;

  constructor(
    o: { programs: Programs; quick: boolean; say: (text: string) => void },
    { folders, keepsFiles = false }: { folders?: AsyncDisposableStack | undefined; keepsFiles?: boolean } = {},
  ) {
    this.#folders = folders ?? this.#resources;
    this.#partFolders = keepsFiles ? this.#folders : undefined;
    this.programs = o.programs;
    this.quick = o.quick;
    this.rounds = o.quick ? 2 : 5;
    this.say = o.say;
  }

  /** How long a load of requests goes on each time, in seconds. */
  get seconds(): number {
    return this.quick ? 2 : 5;
  }

  /**
   * A stage for a part of the load, whose files and servers go sooner; with this one at the latest.
   * @param o.keepsFiles leaves the files of its own parts where they are until it ends itself. For parts that make
   *   thousands of files and follow one another: file systems such as ext4 make files several times more slowly for a
   *   while after many were removed
   */
  part(o: { keepsFiles?: boolean } = {}): Stage {
    this.throwIfOver();
    return this.#resources.use(new Stage(this, { folders: this.#partFolders, ...o }));
  }

  /** To be called before anything is begun that has to be ended. @throws Error when the load was stopped */
  throwIfOver(): void {
    this.#over.signal.throwIfAborted();
  }

  /** Notes that a server takes no part, and why. @throws Error when the load was stopped, which makes everything fail */
  leaveOut(name: string, error: unknown): void {
    this.throwIfOver();
    const reason = error instanceof Error ? error.message : String(error);
    this.say(`${name} is left out: ${reason}`);
    this.#leftOut.set(name, reason);
  }

  /** The reasons why servers took no part, by the names of the servers. */
  get leftOut(): ReadonlyMap<string, string> {
    return this.#leftOut;
  }

  /** A new empty folder among the system's temporary files. */
  async folder(name: string): Promise<string> {
    this.throwIfOver();
    return this.#folders.use(await TemporaryFolder.create(`bench-${name}`)).path;
  }

  /** Does this in the end, last in, first out. */
  defer(work: () => void | Promise<void>): void {
    this.#resources.defer(work);
  }

  /** Runs a program to its end. @throws Error with its output unless it exits with 0 */
  run(program: string, args: readonly string[], o: TimedOptions = {}): Promise<Timed> {
    return runTimed(program, args, { ...o, signal: this.#over.signal });
  }

  /** Has the system write what it still holds back, so that no run pays for what came before it. */
  async settle(): Promise<void> {
    await this.run("sync", []);
  }

  /**
   * As {@link settle}, and everybody finds as much memory that is ready to use: it is several times quicker to fill what
   * somebody has just given back than what the machine has to fetch first, a virtual one from its host.
   */
  async settleWithMemory(bytes: number): Promise<void> {
    await this.settle();
    await using part = this.part();
    const file = join(await part.folder("memory"), "file");
    await this.run("dd", ["if=/dev/zero", `of=${file}`, "bs=1M", `count=${Math.ceil(bytes / MiB)}`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new Error("the load was stopped"));
    await this.#resources.disposeAsync();
  }
}
