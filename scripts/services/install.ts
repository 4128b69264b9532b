import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Outcome, runProgram, whichProgram } from "./program.ts";
import type { BuiltSource, PackageClient } from "./table.ts";

/** Why a service could not be installed; the message says what to do instead. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

const CLIENTS: readonly PackageClient[] = ["apt-get", "dnf", "apk", "brew"];

/** Installs a package of the operating system. @throws InstallError */
export async function installPackage(packages: Readonly<Record<PackageClient, string>>): Promise<void> {
  for (const client of CLIENTS) {
    const path = await whichProgram(client);
    if (path === undefined) continue;
    // Homebrew refuses to run as root; the others need to be root.
    const asRoot = client === "brew" ? [] : await rootPrefix();
    const name = packages[client];
    if (asRoot === undefined) throw new InstallError(`run as root: ${client} install ${name}`);
    const run = async (args: readonly string[]): Promise<Outcome> => {
      const [program = path, ...rest] = [...asRoot, path, ...args];
      return runProgram(program, rest);
    };
    let result = await run([...INSTALL[client], name]);
    if (result.code !== 0 && client === "apt-get") {
      // A fresh machine knows no packages until its lists have been read once.
      await run(["update"]);
      result = await run([...INSTALL[client], name]);
    }
    if (result.code !== 0) throw failure(`${client} could not install ${name}`, result);
    return;
  }
  throw new InstallError(`none of ${CLIENTS.join(", ")} is here; install ${packages["apt-get"]} yourself`);
}

const INSTALL: Readonly<Record<PackageClient, readonly string[]>> = {
  "apt-get": ["-y", "-o", "DPkg::Lock::Timeout=120", "--no-install-recommends", "install"],
  dnf: ["install", "-y"],
  apk: ["add", "--no-cache"],
  brew: ["install"],
};

/** What to put before a command to run it as root; undefined when that needs a password. */
async function rootPrefix(): Promise<readonly string[] | undefined> {
  if (process.getuid?.() === 0) return ["env", "DEBIAN_FRONTEND=noninteractive"];
  const sudo = await whichProgram("sudo");
  if (sudo === undefined) return undefined;
  const { code } = await runProgram(sudo, ["-n", "true"]);
  return code === 0 ? [sudo, "-n", "env", "DEBIAN_FRONTEND=noninteractive"] : undefined;
}

/** How each tool builds a program into a folder, which part of that is kept, and where in it the programs are. */
const BUILD = {
  go: {
    title: "Go (https://go.dev/dl)",
    args: ({ package: name, version }) => ["install", "-trimpath", `${name}@${version}`],
    env: (folder) => ({ GOBIN: folder }),
    kept: ".",
    programs: ".",
  },
  cargo: {
    title: "Rust (https://rustup.rs)",
    args: ({ package: name, version }) => ["install", "--quiet", "--version", version, name],
    env: (folder) => ({ CARGO_INSTALL_ROOT: folder }),
    kept: "bin",
    programs: ".",
  },
  npm: {
    title: "npm (https://nodejs.org)",
    args: ({ package: name, version }) => ["install", "--global", "--no-audit", "--no-fund", `${name}@${version}`],
    env: (folder) => ({ npm_config_prefix: folder }),
    kept: ".",
    programs: "bin",
  },
} as const satisfies Record<
  BuiltSource["with"],
  {
    readonly title: string;
    readonly args: (source: BuiltSource) => readonly string[];
    readonly env: (folder: string) => Readonly<Record<string, string>>;
    readonly kept: string;
    readonly programs: string;
  }
>;

/** Where the programs are in the folder that {@link buildProgram} made. */
export function programsBelow(source: BuiltSource): string {
  return BUILD[source.with].programs;
}

/** Builds a program into `folder`, which appears complete or not at all. @throws InstallError */
export async function buildProgram(source: BuiltSource, folder: string): Promise<void> {
  const { title, args, env, kept } = BUILD[source.with];
  const what = `${source.package}@${source.version}`;
  const tool = await whichProgram(source.with);
  if (tool === undefined) throw new InstallError(`needs ${title}, to build ${what}`);
  await mkdir(dirname(folder), { recursive: true });
  const building = await mkdtemp(`${folder}.building-`);
  try {
    const result = await runProgram(tool, args(source), env(building));
    if (result.code !== 0) throw failure(`${source.with} could not build ${what}`, result);
    await rename(join(building, kept), folder);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

const SHOWN_LINES = 5;

function failure(what: string, outcome: Outcome): InstallError {
  const lines = outcome.output.trimEnd().split("\n").slice(-SHOWN_LINES);
  return new InstallError(`${what}: ${lines.join(" | ")}`);
}
