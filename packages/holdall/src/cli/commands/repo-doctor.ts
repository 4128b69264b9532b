import {
  diagnose as diagnoseBundles,
  LOCK_TTL,
  planRepairs,
  repair as repairBundles,
  type BundleFinding,
} from "@holdall/git-bundles";
import { diagnose, repair } from "@holdall/git-store";
import { Command, InvalidArgumentError } from "commander";
import { CommandError, Exit, EXIT_CODES } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addJsonOption } from "../options.ts";
import { printJson } from "../output.ts";
import { type AsBundles, type InStore, inStore, REMOTE } from "./repo-in-store.ts";

interface RepoDoctorOptions {
  readonly repair?: true;
  readonly deleteBundle?: true;
  /** Seconds. */
  readonly lockTtl: number;
  readonly json?: true;
}

/** Something that is not as it should be. */
interface Ill {
  readonly kind: string;
  readonly text: string;
  readonly repairable: boolean;
  /** For what only a person can mend. */
  readonly advice?: string;
}

interface Examined {
  readonly mended: readonly Ill[];
  readonly left: readonly Ill[];
}

export function repoDoctor(io: Io): Command {
  const command = new Command("doctor")
    .description("Find out what is not as it should be in a repository in a store.")
    .argument("<remote>", REMOTE)
    .option("--repair", "mend what can be mended without a person")
    .option("--delete-bundle", "git-remote-s3: delete a ref's older bundles, which become branches otherwise")
    .option("--lock-ttl <seconds>", "git-remote-s3: after how long a lock is stale", readSeconds, LOCK_TTL);
  return addJsonOption(command).action(async (remote: string, o: RepoDoctorOptions) => {
    const { mended, left } = await inStore(
      io,
      remote,
      async (repository) => await examinePacks(repository, o),
      async (repository) => await examineBundles(repository, o),
    );
    if (o.json) printJson(io.stdout, { repaired: mended.map(documentOf), findings: left.map(documentOf) });
    else io.stdout.write(`${linesOf(mended, left, remote).join("\n")}\n`);
    if (left.length > 0) throw new Exit(EXIT_CODES.failed.code);
  });
}

async function examinePacks(repository: InStore, o: RepoDoctorOptions): Promise<Examined> {
  if (o.deleteBundle) throw new CommandError(`${repository.url} is a repository of packs: it has no bundles to delete`);
  await repository.read();
  const found = await diagnose(repository);
  if (o.repair) await repair(repository, found);
  const left = o.repair && found.length > 0 ? await diagnose(repository) : found;
  const kinds = new Set(left.map(({ kind }) => kind));
  const [mended, ill] = [found.filter(({ kind }) => !kinds.has(kind)), left].map((findings) =>
    findings.map(({ repair, ...rest }): Ill => ({ ...rest, repairable: repair !== undefined })),
  );
  return { mended: mended ?? [], left: ill ?? [] };
}

async function examineBundles({ store }: AsBundles, o: RepoDoctorOptions): Promise<Examined> {
  const { lockTtl, deleteBundle = false } = o;
  const found = await diagnoseBundles(store, { lockTtl });
  const ills = found.map((finding) => ({
    ill: illOf(finding),
    repairs: planRepairs([finding], { deleteBundles: deleteBundle }),
  }));
  if (!o.repair) return { mended: [], left: ills.map(({ ill }) => ill) };
  for (const { repairs } of ills) for (const one of repairs) await repairBundles(store, one, { ttl: lockTtl });
  return {
    mended: ills.flatMap(({ ill, repairs }) => (repairs.length > 0 ? [ill] : [])),
    left: ills.flatMap(({ ill, repairs }) => (repairs.length > 0 ? [] : [ill])),
  };
}

function illOf(finding: BundleFinding): Ill {
  const { kind, text } = finding;
  const repairable = planRepairs([finding]).length > 0;
  return repairable ? { kind, text, repairable } : { kind, text, repairable, advice: "this takes a decision of yours" };
}

function documentOf({ kind, text, repairable }: Ill): object {
  return { kind, text, repairable };
}

function linesOf(mended: readonly Ill[], left: readonly Ill[], remote: string): readonly string[] {
  if (mended.length + left.length === 0) return ["Nothing is wrong."];
  const hint = `"holdall repo doctor ${remote} --repair" mends it`;
  return [
    ...mended.map(({ text }) => `mended: ${text}`),
    ...left.map(({ text, advice = hint }) => `${text}: ${advice}`),
  ];
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1) throw new InvalidArgumentError("Give a whole number of seconds.");
  return seconds;
}
