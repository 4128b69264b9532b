import type { RepositoryName } from "@holdall/lfs-protocol";
import { Command } from "commander";
import { isUrl, urlOfRemote } from "../../git/find-remote.ts";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, type WhereOptions } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { readRepositoryName } from "../read-repository-name.ts";
import { withData } from "../with-data.ts";
import { showStored } from "./repo-show-stored.ts";

interface RepoShowOptions extends WhereOptions {
  readonly json?: true;
}

type Shown = { readonly url: string } | { readonly name: RepositoryName };

export function repoShow(io: Io): Command {
  return addJsonOption(addWhereOptions(new Command("show").description("Show what one repository holds.")))
    .argument(
      "<repository>",
      "its name on the server, such as team/app; or a URL, or the name of a remote of the repository here, if it has one of that name and neither --data nor --config is given",
      readShown,
    )
    .action(async (shown: Shown, { json, ...where }: RepoShowOptions) => {
      const url = "url" in shown ? shown.url : await remoteNamed(io, shown.name, where);
      if (url !== undefined) await showStored(io, url, json === true);
      else if ("name" in shown) await showServed(io, shown.name, { json: json === true, where });
    });
}

function readShown(text: string): Shown {
  return isUrl(text) ? { url: text } : { name: readRepositoryName(text) };
}

/** Whoever says where the server's data are means the server. */
async function remoteNamed(io: Io, name: RepositoryName, where: WhereOptions): Promise<string | undefined> {
  if (where.data !== undefined || where.config !== undefined || name.includes("/")) return undefined;
  return (await urlOfRemote(name, io)) === undefined ? undefined : name;
}

async function showServed(
  io: Io,
  name: RepositoryName,
  { json, where }: { json: boolean; where: WhereOptions },
): Promise<void> {
  const usage = await withData(io, where, { create: false }, ({ repositories }) => repositories.usage(name));
  if (usage === undefined) {
    throw new CommandError(`there is no repository ${JSON.stringify(name)}; "holdall repo list" shows all`);
  }
  const { createdAt, objects, bytes, locks } = usage;
  if (json) printJson(io.stdout, { name, createdAt, objects, bytes, locks });
  else {
    const row = [name, String(objects), String(bytes), String(locks), formatDate(createdAt)];
    printTable(io.stdout, ["NAME", "OBJECTS", "BYTES", "LOCKS", "CREATED (UTC)"], [row]);
  }
}
