import { parseRepositoryName, type RepositoryName } from "@holdall/lfs-protocol";
import { InvalidArgumentError } from "commander";

/** Reads a repository name from the command line. @throws InvalidArgumentError, which is a usage error */
export function readRepositoryName(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name !== undefined) return name;
  throw new InvalidArgumentError(
    "It is no repository name: write segments joined by single slashes, none starting with a dot, such as team/app.",
  );
}
