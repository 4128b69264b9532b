/**
 * Finds, and where it may installs, what the tests and benchmarks need beyond npm packages.
 *
 *     node scripts/services.ts                 list what is here
 *     node scripts/services.ts install         install what the tests use
 *     node scripts/services.ts install NAME…   install these
 */
import { environmentVariable, type InstallPolicy, lookUp } from "./services/find.ts";
import { serviceNames, type ServiceName, services } from "./services/table.ts";

export { findService, type FoundService } from "./services/find.ts";
export type { ServiceName } from "./services/table.ts";

async function main(args: readonly string[]): Promise<number> {
  const [command = "list", ...names] = args;
  const unknown = names.find((name) => !isServiceName(name));
  if (unknown !== undefined) {
    console.error(`There is no service ${unknown}; there are ${serviceNames.join(", ")}.`);
    return 1;
  }
  const chosen = names.filter(isServiceName);
  switch (command) {
    case "list":
      await show(chosen.length > 0 ? chosen : serviceNames, "never");
      return 0;
    case "install": {
      const wanted = chosen.length > 0 ? chosen : serviceNames.filter((name) => services[name].automatic);
      return (await show(wanted, "always")) ? 0 : 1;
    }
    default:
      console.error("Usage: node scripts/services.ts [list | install] [NAME…]");
      return 1;
  }
}

function isServiceName(name: string): name is ServiceName {
  return Object.hasOwn(services, name);
}

/** Prints a table of the services; true when all are there. */
async function show(names: readonly ServiceName[], policy: InstallPolicy): Promise<boolean> {
  const rows: string[][] = [["service", "version", "path", "needed by", "or set"]];
  let complete = true;
  for (const name of names) {
    const service = await lookUp(name, policy);
    const about = [services[name].purpose, environmentVariable(name)];
    if ("missing" in service) complete = false;
    rows.push(
      "missing" in service ? [name, "–", service.missing, ...about] : [name, service.version, service.path, ...about],
    );
  }
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  return complete;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
