import type { Layout } from "@holdall/git-remote";
import { parseStoreUrl, StorageError, type StoreUrl } from "@holdall/object-store/open";

/** A repository in a store, as a remote's URL names it. */
export interface RemoteUrl {
  /** Whose root is the repository. */
  readonly store: StoreUrl;
  /** Undefined: whatever is there; packs where there is nothing. */
  readonly layout: Layout | undefined;
  /** Beside each branch that is pushed, its files as `repo.zip`. */
  readonly zip: boolean;
  /** The user says that nobody else writes, so that a store without conditional writes will do. */
  readonly singleWriter: boolean;
}

type Parameter = "layout" | "singleWriter";

const PARAMETERS: Readonly<Record<Parameter, readonly string[]>> = {
  layout: ["packs", "bundles"],
  singleWriter: ["true", "false"],
};

/** Git takes what is before `::` for the helper's name, and gives it the rest. */
const HELPER = /^holdall::/;
const ZIP = /^s3\+zip:\/\//i;

/**
 * Reads a remote's URL: a store URL, also behind `holdall::`, with `layout=packs|bundles` and `singleWriter=true` among its
 * parameters; or `s3+zip://…`, which is git-remote-s3's layout with an archive beside each branch.
 * @throws StorageError `invalid` for anything else
 */
export function parseRemoteUrl(text: string): RemoteUrl {
  const zip = ZIP.test(text);
  const { url, own } = splitParameters(text.replace(HELPER, "").replace(ZIP, "s3://"));
  const store = parseStoreUrl(url);
  if (store.kind === "memory") {
    throw new StorageError("invalid", '"memory:" is no remote: it is gone as soon as git has ended');
  }
  const layout = own.get("layout");
  if (zip && layout === "packs") {
    throw new StorageError("invalid", `${JSON.stringify(text)}: s3+zip keeps bundles, so layout=packs contradicts it`);
  }
  return {
    store,
    layout: zip || layout === "bundles" ? "bundles" : layout === "packs" ? "packs" : undefined,
    zip,
    singleWriter: own.get("singleWriter") === "true",
  };
}

/** Takes out what is said to the remote and not to its store. */
function splitParameters(text: string): { readonly url: string; readonly own: ReadonlyMap<Parameter, string> } {
  const at = text.indexOf("?");
  const own = new Map<Parameter, string>();
  if (at < 0) return { url: text, own };
  const others = text
    .slice(at + 1)
    .split("&")
    .filter((pair) => {
      const [name = "", value = ""] = pair.split("=", 2);
      if (!isParameter(name)) return true;
      if (!PARAMETERS[name].includes(value)) {
        const allowed = PARAMETERS[name].join(" or ");
        throw new StorageError("invalid", `${name}=${value} in the URL of a remote: it may be ${allowed}`);
      }
      own.set(name, value);
      return false;
    });
  return { url: text.slice(0, at) + (others.length === 0 ? "" : `?${others.join("&")}`), own };
}

function isParameter(name: string): name is Parameter {
  return Object.hasOwn(PARAMETERS, name);
}
