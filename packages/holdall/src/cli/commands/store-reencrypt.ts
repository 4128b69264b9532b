import { Command } from "commander";
import { reencrypt, type ObjectKey } from "@holdall/object-store";
import { keyringOf } from "../../config/index.ts";
import { CommandError, Exit, EXIT_CODES } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, loadFor, type WhereOptions } from "../options.ts";
import { printJson } from "../output.ts";

interface StoreReencryptOptions extends WhereOptions {
  readonly store?: string;
  readonly includePlain?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

/** How often to say how far it has got, in milliseconds. */
const SAY_EVERY = 10_000;

/** In all layouts, the last segment of an object's key is its oid. */
const OID = /(?:^|\/)([0-9a-f]{64})$/;

export function storeReencrypt(io: Io): Command {
  const command = new Command("reencrypt")
    .description("Put all objects under the current encryption key.")
    .option("--store <url>", "where the objects are, when that is not where the configuration says")
    .option("--include-plain", "also encrypt objects that are not encrypted yet")
    .option("--dry-run", "only look, and change nothing");
  return addJsonOption(addWhereOptions(command)).action(async (o: StoreReencryptOptions) => {
    const { config } = await loadFor(io, o, o.store === undefined ? {} : { "--store": o.store });
    const keyring = keyringOf(config);
    if (keyring === undefined) {
      throw new CommandError("the configuration has no encryption keys: give it some, in encryption.keys");
    }
    // Loaded only here: the other commands start faster without the server.
    const { openRawStore } = await import("../../serve/storage.ts");
    const store = await openRawStore(config.store);
    const counts = { current: 0, rewritten: 0, failed: 0 };
    try {
      let said = performance.now();
      const objects = reencrypt(store, {
        keyring,
        includePlain: o.includePlain === true,
        dryRun: o.dryRun === true,
        sha256Of: oidOf,
      });
      for await (const object of objects) {
        counts[object.outcome] += 1;
        if (object.outcome === "failed") io.stderr.write(`${object.reason}\n`);
        if (performance.now() - said < SAY_EVERY) continue;
        said = performance.now();
        io.stderr.write(`${summary(counts, o)} up to ${object.key}\n`);
      }
    } finally {
      await store.close();
    }
    if (o.json) printJson(io.stdout, { key: keyring.current.id, ...counts });
    else io.stdout.write(`${summary(counts, o)}\n`);
    if (counts.failed > 0) throw new Exit(EXIT_CODES.failed.code);
  });
}

function summary(
  { current, rewritten, failed }: { current: number; rewritten: number; failed: number },
  { dryRun }: StoreReencryptOptions,
): string {
  const done = dryRun === true ? "would be encrypted anew" : "encrypted anew";
  return `${rewritten} ${done}, ${current} under the current key already, ${failed} failed`;
}

function oidOf(key: ObjectKey): string | undefined {
  return OID.exec(key)?.[1];
}
