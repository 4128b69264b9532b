import { formatStoreUrl, parseStoreUrl, StorageError, type StoreUrl } from "@holdall/object-store/open";
import { tryGit } from "./lfs-agent-git.ts";

type S3Url = Extract<StoreUrl, { readonly kind: "s3" }>;

/** What a URL may say of encryption, and git's configuration in its place: `holdall.sse`, `holdall.s3://bucket/prefix.kmsKeyId`, … */
const PARAMETERS = ["sse", "kmsKeyId", "bucketKey"] as const;

/**
 * How objects are to be encrypted by git's configuration, where the URL does not say it: in `holdall.<parameter>`, and
 * `holdall.<url>.<parameter>` for what is below a URL (as `http.<url>.*` in git-config).
 * @returns the URL with it; undefined when nothing is configured
 * @throws StorageError `invalid` for what cannot be so; GitError
 */
export async function withConfiguredEncryption(store: S3Url): Promise<StoreUrl | undefined> {
  if (store.sse !== undefined) return undefined;
  const { bucket, prefix } = store;
  const where = formatStoreUrl({ kind: "s3", bucket, ...(prefix === undefined ? {} : { prefix }) });
  const values = await configuredFor(where);
  const given = PARAMETERS.flatMap((parameter) => {
    const value = values.get(parameter.toLowerCase());
    return value === undefined ? [] : [`${parameter}=${encodeURIComponent(value)}`];
  });
  if (given.length === 0) return undefined;
  const url = formatStoreUrl(store);
  try {
    return parseStoreUrl(`${url}${url.includes("?") ? "&" : "?"}${given.join("&")}`);
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause;
    // The URL alone was one.
    const why = cause.message.replace(/^.*? is not an S3 store URL: /s, "");
    throw new StorageError("invalid", `git's configuration of holdall.* for ${where}: ${why}`, { cause });
  }
}

/** By names in lower case, as git writes them. */
async function configuredFor(url: string): Promise<ReadonlyMap<string, string>> {
  const { code, stdout, stderr } = await tryGit(["config", "--null", "--get-urlmatch", "holdall", url], process.cwd());
  // 1: there is nothing.
  if (code > 1) throw new StorageError("invalid", `git's configuration cannot be read: ${stderr.trim()}`);
  return new Map(
    stdout
      .split("\0")
      .slice(0, -1)
      .map((entry) => {
        const [name = "", value = "true"] = entry.split(/\n(.*)/s, 2);
        return [name.replace(/^holdall\./, ""), value];
      }),
  );
}
