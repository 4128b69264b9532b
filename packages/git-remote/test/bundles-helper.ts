// A helper over git-remote-s3's layout, as a program that git starts: `bundles-helper.ts REMOTE [SETTINGS@]STORE-URL`.
// Settings, with commas between: `zip`, `lockTtl=SECONDS`, `killBefore=N`, `killAfter=N` (the process, at its Nth change of the store).
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { LocalGit } from "@holdall/git-store";
import { openStore, parseStoreUrl, type ObjectStore } from "@holdall/object-store";
import { BundlesRepository } from "../src/bundles-repository.ts";
import { noOptions, setOption } from "../src/options.ts";
import type { PushLine } from "../src/repository.ts";

const [, settings = "", url = ""] = /^(?:([\w=,.]+)@)?(.*)$/.exec(process.argv[3] ?? "") ?? [];
const set = new Map(settings.split(",").map((setting) => [setting.split("=")[0], Number(setting.split("=")[1])]));

const CHANGES = ["put", "copy", "delete"] as const;

/** The same store, at whose Nth change the process is killed. */
function killing(store: ObjectStore): ObjectStore {
  let count = 0;
  const kill = (): void => void process.kill(process.pid, "SIGKILL");
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (!CHANGES.some((change) => change === name)) return value.bind(target) as unknown;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        count += 1;
        const mine = count;
        if (set.get("killBefore") === mine) kill();
        const result: unknown = await Reflect.apply(value, target, args);
        if (set.get("killAfter") === mine) kill();
        return result;
      };
    },
  });
}

const store = killing(await openStore(parseStoreUrl(url)));
const lockTtl = set.get("lockTtl");
const repository = new BundlesRepository({
  store,
  git: new LocalGit(process.env["GIT_DIR"] ?? ".git"),
  zip: set.has("zip"),
  ...(lockTtl === undefined ? {} : { lockTtl }),
  say: (text) => process.stderr.write(text),
  draw: undefined,
});
const options = noOptions();
const keep: string[] = [];
const fetches: string[] = [];
const pushes: PushLine[] = [];
const answer = (lines: readonly string[]): void => void process.stdout.write(lines.map((line) => `${line}\n`).join(""));

try {
  for await (const line of createInterface({ input: process.stdin })) {
    const [, command = "", rest = ""] = /^(\S*) ?(.*)$/.exec(line) ?? [];
    if (command === "capabilities") answer(["fetch", "push", "option", "object-format", ""]);
    else if (command === "option") {
      const [, name = "", value = "true"] = /^(\S+)(?: (.*))?$/.exec(rest) ?? [];
      answer([setOption(options, name, value)]);
    } else if (command === "list") {
      const listing = await repository.list();
      const head = rest === "for-push" || listing?.head === undefined ? [] : [`@${listing.head} HEAD`];
      const format = options.objectFormat && listing !== undefined ? [`:object-format ${listing.objectFormat}`] : [];
      answer([...format, ...[...(listing?.refs ?? [])].map(([ref, { oid }]) => `${oid} ${ref}`), ...head, ""]);
    } else if (command === "fetch") fetches.push(rest.split(" ")[0] ?? "");
    else if (command === "push") {
      const [, plus, source = "", ref = ""] = /^(\+?)([^:]*):(.*)$/.exec(rest) ?? [];
      pushes.push({ source: source === "" ? undefined : source, ref, force: plus === "+" });
    } else if (fetches.length > 0) {
      const kept = await repository.fetch(fetches.splice(0));
      keep.push(...kept);
      answer([""]);
    } else if (pushes.length > 0) {
      const results = await repository.push(pushes.splice(0), options);
      answer([
        ...results.map(({ ref, refused }) => (refused === undefined ? `ok ${ref}` : `error ${ref} ${refused}`)),
        "",
      ]);
    } else break;
  }
} catch (error) {
  process.stderr.write(`fatal: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 128;
} finally {
  await Promise.all(keep.map((path) => rm(path, { force: true })));
  await store.close();
  process.stdin.destroy();
}
