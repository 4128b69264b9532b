import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failure, InstallError, installPackage } from "./install.ts";
import { runProgram, whichProgram } from "./program.ts";
import type { BuiltSource, SystemPackages } from "./table.ts";

type Tool = BuiltSource["with"];

/** How a tool builds a program into a folder, which part of that is kept, and where in it the programs are. */
interface Builder {
  readonly title: string;
  /** Where the tool itself comes from; undefined for what runs the tests. */
  readonly packages?: SystemPackages;
  /** The oldest that will do, and how the tool tells its version. */
  readonly atLeast?: { readonly version: string; readonly args: readonly string[]; readonly pattern: RegExp };
  readonly args: (source: BuiltSource) => readonly string[];
  readonly env: (folder: string) => Readonly<Record<string, string>>;
  readonly kept: string;
  readonly programs: string;
}

/** Of its packages it finds its own wherever it is moved, though the scripts among them do not find it. */
const MAKE_ENVIRONMENT = `
import os, subprocess, sys, venv
folder = os.environ["HOLDALL_ENVIRONMENT"]
venv.create(folder, with_pip=True, symlinks=True)
subprocess.check_call([folder + "/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", sys.argv[1]])
`;

const BUILDERS: Readonly<Record<Tool, Builder>> = {
  go: {
    title: "Go (https://go.dev/dl)",
    packages: { "apt-get": "golang-go", dnf: "golang", apk: "go", brew: "go" },
    // From 1.21 on it fetches by itself the version that a module asks for, though distributions turn that off.
    atLeast: { version: "1.21", args: ["version"], pattern: /\bgo(\d+\.\d+\S*)/ },
    args: ({ package: name, version }) => ["install", "-trimpath", `${name}@${version}`],
    env: (folder) => ({ GOBIN: folder, GOTOOLCHAIN: process.env["GOTOOLCHAIN"] || "auto" }),
    kept: ".",
    programs: ".",
  },
  cargo: {
    title: "Rust (https://rustup.rs)",
    packages: { "apt-get": "cargo", dnf: "cargo", apk: "cargo", brew: "rust" },
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
  python3: {
    title: "Python (https://python.org)",
    packages: { "apt-get": "python3-venv", dnf: "python3", apk: "python3", brew: "python" },
    atLeast: { version: "3.10", args: ["--version"], pattern: /^Python (\d+\.\d+\S*)/m },
    args: ({ package: name, version }) => ["-c", MAKE_ENVIRONMENT, `${name}==${version}`],
    env: (folder) => ({ HOLDALL_ENVIRONMENT: folder }),
    kept: ".",
    programs: "bin",
  },
  sh: {
    title: "a shell",
    args: ({ version }) => [join(import.meta.dirname, "debian-git.sh"), version],
    env: (folder) => ({ HOLDALL_FOLDER: folder }),
    kept: ".",
    programs: "bin",
  },
};

/** Where the programs are in the folder that {@link buildProgram} made. */
export function programsBelow(source: BuiltSource): string {
  return BUILDERS[source.with].programs;
}

/**
 * Builds a program into `folder`, which appears complete or not at all. The tool that it is built with is installed first
 * where it is missing.
 * @throws InstallError
 */
export async function buildProgram(source: BuiltSource, folder: string): Promise<void> {
  const { args, env, kept } = BUILDERS[source.with];
  const what = `${source.package}@${source.version}`;
  const tool = (await whichProgram(source.with)) ?? (await installTool(source.with, what));
  await refuseOld(source.with, tool, what);
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

/** @returns its path. @throws InstallError */
async function installTool(tool: Tool, what: string): Promise<string> {
  const { title, packages } = BUILDERS[tool];
  const needed = `needs ${title}, to build ${what}`;
  if (packages === undefined) throw new InstallError(needed);
  try {
    await installPackage(packages);
  } catch (error) {
    if (error instanceof InstallError) throw new InstallError(`${needed}; ${error.message}`, { cause: error });
    throw error;
  }
  const path = await whichProgram(tool);
  if (path === undefined) throw new InstallError(`${needed}; it was installed, but ${tool} is still not to be found`);
  return path;
}

/** @throws InstallError when the tool is too old to build anything */
async function refuseOld(tool: Tool, path: string, what: string): Promise<void> {
  const { title, atLeast } = BUILDERS[tool];
  if (atLeast === undefined) return;
  const version = atLeast.pattern.exec((await runProgram(path, atLeast.args)).output)?.[1];
  if (version !== undefined && version.localeCompare(atLeast.version, "en", { numeric: true }) >= 0) return;
  const needed = `needs ${title} ${atLeast.version} or newer, to build ${what}`;
  const found = `${path} is ${version ?? "of an unknown version"}`;
  throw new InstallError(`${needed}; ${found}: put a newer one before it on PATH`);
}
