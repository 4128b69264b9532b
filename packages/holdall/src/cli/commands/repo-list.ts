import { findRepositories } from "@holdall/git-store";
import { formatStoreUrl } from "@holdall/object-store";
import { Command } from "commander";
import { findRemote } from "../../git/find-remote.ts";
import { openRemote } from "../../git/open-remote.ts";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, type WhereOptions } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { withData } from "../with-data.ts";
import { REMOTE } from "./repo-in-store.ts";

interface RepoListOptions extends WhereOptions {
  readonly json?: true;
}

export function repoList(io: Io): Command {
  return addJsonOption(
    addWhereOptions(new Command("list").description("List all repositories of the server, or those in a store.")),
  )
    .argument("[remote]", `where to look in a store, and below: ${REMOTE}`)
    .action(async (remote: string | undefined, o: RepoListOptions) => {
      await (remote === undefined ? listServed(io, o) : listStored(io, remote, o));
    });
}

async function listServed(io: Io, { json, ...where }: RepoListOptions): Promise<void> {
  const repositories = await withData(io, where, { create: false }, (metadata) =>
    Array.fromAsync(metadata.repositories.list()),
  );
  if (json) {
    printJson(io.stdout, { repositories: repositories.map(({ name, createdAt }) => ({ name, createdAt })) });
  } else {
    const rows = repositories.map(({ name, createdAt }) => [name, formatDate(createdAt)]);
    printTable(io.stdout, ["NAME", "CREATED (UTC)"], rows);
  }
}

async function listStored(io: Io, remote: string, { json }: RepoListOptions): Promise<void> {
  const url = await findRemote(remote, io);
  const store = await openRemote(url);
  try {
    const repositories = await Array.fromAsync(findRepositories(store));
    if (json) printJson(io.stdout, { store: formatStoreUrl(url.store), repositories });
    else {
      const rows = repositories.map(({ path, layout }) => [path === "" ? "." : path, layout]);
      printTable(io.stdout, ["PATH", "LAYOUT"], rows);
    }
  } finally {
    await store.close();
  }
}
