import { type Outcome, runProgram, whichProgram } from "./program.ts";
import type { PackageClient, SystemPackages } from "./table.ts";

/** Why a service could not be installed; the message says what to do instead. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

const CLIENTS: readonly PackageClient[] = ["apt-get", "dnf", "apk", "brew"];

/** Installs a package of the operating system. @throws InstallError */
export async function installPackage(packages: SystemPackages): Promise<void> {
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

const SHOWN_LINES = 5;

/** That a program failed, with the last that it said. */
export function failure(what: string, outcome: Outcome): InstallError {
  const lines = outcome.output.trimEnd().split("\n").slice(-SHOWN_LINES);
  return new InstallError(`${what}: ${lines.join(" | ")}`);
}
