import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { buildProgram, programsBelow } from "./build.ts";
import { exclusively } from "./exclusive.ts";
import { InstallError, installPackage } from "./install.ts";
import { isExecutable, runProgram, whichProgram } from "./program.ts";
import { type Service, type ServiceName, services } from "./table.ts";

/** A program that is ready to run. */
export interface FoundService {
  readonly path: string;
  readonly version: string;
}

export interface MissingService {
  /** Why, and what to do. */
  readonly missing: string;
}

/**
 * `never`: only look. `automatic`: install what tests may install by themselves. `always`: whatever can be installed,
 * even when it failed a moment ago.
 */
export type InstallPolicy = "never" | "automatic" | "always";

const found = new Map<ServiceName, Promise<FoundService | MissingService>>();

/** {@link lookUp} with `automatic`, once per process. */
export function findService(name: ServiceName): Promise<FoundService | MissingService> {
  let service = found.get(name);
  if (service === undefined) {
    service = lookUp(name, "automatic");
    found.set(name, service);
  }
  return service;
}

/**
 * Finds a service: named by its environment variable, else where its source puts it, else installed there. Any number of
 * processes may ask at once; one of them installs.
 */
export async function lookUp(name: ServiceName, policy: InstallPolicy): Promise<FoundService | MissingService> {
  const service = services[name];
  const variable = environmentVariable(name);
  const given = process.env[variable];
  if (given !== undefined && given !== "") {
    return (
      (await inspect(service, resolve(given))) ?? { missing: `${variable} names ${given}, which is not that program` }
    );
  }
  const present = await locate(name);
  if (present !== undefined) return present;
  if (service.source.kind === "given") return { missing: service.source.advice };
  if (policy === "never" || (policy === "automatic" && !service.automatic)) {
    return { missing: `not here; set ${variable}, or run: node scripts/services.ts install ${name}` };
  }
  const cache = cacheFolder();
  await mkdir(cache, { recursive: true });
  return exclusively(join(cache, "install.lock"), async () => {
    // Another process may have installed it while this one waited, or have failed to.
    const installed = await locate(name);
    if (installed !== undefined) return installed;
    const failed = policy === "always" ? undefined : await recentFailure(name);
    if (failed !== undefined) return { missing: failed };
    const problem = await tryToInstall(name);
    const result = problem === undefined ? await locate(name) : undefined;
    if (result !== undefined) return result;
    const missing = problem ?? `was installed, but ${service.program} is still not to be found`;
    await rememberFailure(name, missing);
    return { missing };
  });
}

/** The variable that may point at a ready program: `HOLDALL_TEST_GIT_LFS` for `git-lfs`. */
export function environmentVariable(name: ServiceName): string {
  return `HOLDALL_TEST_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** Installs it; otherwise says why not. */
async function tryToInstall(name: ServiceName): Promise<string | undefined> {
  const { source } = services[name];
  console.error(`Installing ${name} for the tests…`);
  try {
    if (source.kind === "system") await installPackage(source.packages);
    if (source.kind === "built") await buildProgram(source, buildFolder(name, source.version));
    return undefined;
  } catch (error) {
    if (error instanceof InstallError) return error.message;
    throw error;
  }
}

async function locate(name: ServiceName): Promise<FoundService | undefined> {
  const service = services[name];
  const { program, source } = service;
  if (source.kind !== "built" || source.onPath) {
    const path = await whichProgram(program);
    const found = path === undefined ? undefined : await inspect(service, path);
    if (found !== undefined) return found;
  }
  return source.kind === "built"
    ? inspect(service, join(buildFolder(name, source.version), programsBelow(source), program))
    : undefined;
}

/** Asks the program for its version; undefined when it is not that program. */
async function inspect(service: Service, path: string): Promise<FoundService | undefined> {
  if (!(await isExecutable(path))) return undefined;
  const { output } = await runProgram(path, service.version.args);
  const version = service.version.pattern.exec(output)?.[1];
  return version === undefined ? undefined : { path, version };
}

const buildFolder = (name: ServiceName, version: string): string => join(cacheFolder(), name, version);

/** Outside the repository, so that builds outlive a fresh checkout. */
function cacheFolder(): string {
  const given = process.env["XDG_CACHE_HOME"];
  return join(given === undefined || given === "" ? join(homedir(), ".cache") : given, "holdall", "services");
}

// A machine that cannot install (no network) would otherwise make every test file wait for the same time-outs.
const FAILURE_SECONDS = 600;

const failureFile = (name: ServiceName): string => join(cacheFolder(), `${name}.failed`);

async function rememberFailure(name: ServiceName, reason: string): Promise<void> {
  await writeFile(failureFile(name), `${Date.now()}\n${reason}`);
}

async function recentFailure(name: ServiceName): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(failureFile(name), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const [at = "0", ...reason] = text.split("\n");
  if (Date.now() - Number(at) < FAILURE_SECONDS * 1000) return reason.join("\n");
  await rm(failureFile(name), { force: true });
  return undefined;
}
