import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";
import { masked } from "./secrets.ts";

/** Where objects lie in Azure Blob Storage: `az://account/container[/prefix][?endpoint=&publicEndpoint=&accessTier=]`. */
export interface AzureLocation {
  readonly kind: "az";
  /** The storage account. */
  readonly account: string;
  readonly container: string;
  /** All objects lie below it, in whole segments. */
  readonly prefix?: string;
  /**
   * What stands before `/container` in addresses, without a slash at its end. For Azurite, and others that serve several
   * accounts under one name, that includes the account. Otherwise `https://ACCOUNT.blob.core.windows.net`.
   */
  readonly endpoint?: string;
  /** Stands in for the endpoint in presigned requests, where clients reach the store by another name than the server. */
  readonly publicEndpoint?: string;
  /** For objects that are stored; otherwise the account's default. Archive is none: what lies there cannot be read. */
  readonly accessTier?: AccessTier;
}

export type AccessTier = (typeof TIERS)[number];

const TIERS = ["Hot", "Cool", "Cold"] as const;
const PARAMETERS = ["endpoint", "publicEndpoint", "accessTier"] as const;

const ACCOUNT = /^[a-z0-9]{3,24}$/;
const CONTAINER = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/;
const FORM = /^az:\/\/(?<account>[^/?#]*)(?:\/(?<container>[^/?#]*)(?:\/(?<prefix>[^?#]*))?)?(?:\?(?<query>[^#]*))?$/i;

/** @throws StorageError `invalid`, naming the part that is wrong and what it may be */
export function parseAzureUrl(text: string): AzureLocation {
  const { account = "", container = "", prefix = "", query = "" } = FORM.exec(text)?.groups ?? refuse(text, USAGE);
  if (!ACCOUNT.test(account)) {
    refuse(text, `the account ${JSON.stringify(account)} is not 3 to 24 lower-case letters and digits`);
  }
  if (!CONTAINER.test(container)) {
    refuse(
      text,
      `the container ${JSON.stringify(container)} is not 3 to 63 lower-case letters, digits and single hyphens between them`,
    );
  }
  return { kind: "az", account, container, ...prefixOf(text, prefix), ...parametersOf(text, query) };
}

/** {@link parseAzureUrl} of it gives the location again. */
export function formatAzureUrl({ account, container, prefix, ...parameters }: AzureLocation): string {
  const path = [container, ...(prefix?.split("/") ?? [])].map(encodeURIComponent).join("/");
  const query = new URLSearchParams();
  for (const name of PARAMETERS) {
    const value = parameters[name];
    if (value !== undefined) query.set(name, value);
  }
  return `az://${account}/${path}${query.size === 0 ? "" : `?${query.toString()}`}`;
}

const USAGE = "write az://account/container, then a prefix if you like, and parameters after a question mark";

function prefixOf(text: string, encoded: string): { readonly prefix?: string } {
  if (encoded === "") return {};
  let prefix: string;
  try {
    prefix = decodeURIComponent(encoded.replace(/\/$/, ""));
  } catch {
    refuse(text, "the prefix has a % that begins no character: write %25 for the sign itself");
  }
  try {
    return { prefix: parseKey(prefix) };
  } catch (error) {
    if (error instanceof StorageError) refuse(text, `the prefix ${error.message}`);
    throw error;
  }
}

function parametersOf(text: string, query: string): Pick<AzureLocation, (typeof PARAMETERS)[number]> {
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!PARAMETERS.some((known) => known === name)) {
      refuse(text, `there is no parameter ${JSON.stringify(name)}; there are ${PARAMETERS.join(", ")}`);
    }
    if (values.has(name)) refuse(text, `${name} is given twice`);
    values.set(name, value);
  }
  const [endpoint, publicEndpoint, accessTier] = PARAMETERS.map((name) => values.get(name));
  return {
    ...(endpoint === undefined ? {} : { endpoint: endpointOf(text, "endpoint", endpoint) }),
    ...(publicEndpoint === undefined ? {} : { publicEndpoint: endpointOf(text, "publicEndpoint", publicEndpoint) }),
    ...(accessTier === undefined ? {} : { accessTier: tierOf(text, accessTier) }),
  };
}

function endpointOf(text: string, name: string, value: string): string {
  const url = URL.parse(value);
  const plain = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  if (!plain || /[?#\s]/.test(value)) {
    refuse(
      text,
      `${name} is not http:// or https:// with a host, and what else stands before the container: no user, no question mark`,
    );
  }
  return value.replace(/\/+$/, "");
}

function tierOf(text: string, value: string): AccessTier {
  const known = TIERS.find((tier) => tier === value);
  return known ?? refuse(text, `there is no accessTier ${JSON.stringify(value)}; there are ${TIERS.join(", ")}`);
}

function refuse(text: string, reason: string): never {
  throw new StorageError("invalid", `${JSON.stringify(masked(text))} is not an Azure store URL: ${reason}`);
}
