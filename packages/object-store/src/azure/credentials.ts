import type { TokenCredential } from "@azure/identity";
import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { StorageError } from "../errors.ts";
import type { AzureLocation } from "./options.ts";

/** What lets us in. */
export type AzureCredential =
  | { readonly kind: "key"; readonly key: StorageSharedKeyCredential }
  /** A query without its question mark. */
  | { readonly kind: "sas"; readonly token: string }
  | { readonly kind: "identity"; readonly identity: TokenCredential };

export interface AzureAccess {
  readonly credential: AzureCredential;
  /** What stands before `/container`. */
  readonly endpoint: string;
}

/**
 * Looks for credentials where Azure's own programs do, in this order: `AZURE_STORAGE_CONNECTION_STRING`,
 * `AZURE_STORAGE_KEY` (of `AZURE_STORAGE_ACCOUNT`, if that is set), `AZURE_STORAGE_SAS_TOKEN`, and then the identities
 * that DefaultAzureCredential knows. Asks nobody yet.
 * @throws StorageError `denied` when the environment and the location contradict each other
 */
export async function findAccess(location: AzureLocation, env: NodeJS.ProcessEnv): Promise<AzureAccess> {
  const { account, endpoint = `https://${account}.blob.core.windows.net` } = location;
  const connection = env["AZURE_STORAGE_CONNECTION_STRING"] ?? "";
  if (connection !== "") return fromConnectionString(connection, location);

  const key = env["AZURE_STORAGE_KEY"] ?? "";
  const keyOf = env["AZURE_STORAGE_ACCOUNT"] ?? "";
  if (key !== "" && (keyOf === "" || keyOf === account)) {
    return { credential: { kind: "key", key: new StorageSharedKeyCredential(account, key) }, endpoint };
  }
  const token = (env["AZURE_STORAGE_SAS_TOKEN"] ?? "").replace(/^\?/, "");
  if (token !== "") return { credential: { kind: "sas", token }, endpoint };

  if (!endpoint.startsWith("https:")) {
    throw new StorageError(
      "denied",
      `${endpoint} is not https, and an identity's token is sent over nothing else: set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN`,
    );
  }
  // Large, and of no use to those who have a key.
  const { DefaultAzureCredential } = await import("@azure/identity");
  return { credential: { kind: "identity", identity: new DefaultAzureCredential() }, endpoint };
}

function fromConnectionString(text: string, location: AzureLocation): AzureAccess {
  const service = parsed(text);
  const { credential } = service;
  const key = credential instanceof StorageSharedKeyCredential ? credential : undefined;
  // The SDK reads it from the address where there is no key, and cannot where the host has a name of its own.
  const account = key?.accountName ?? service.accountName;
  if (account !== "" && account !== location.account) {
    throw new StorageError(
      "denied",
      `AZURE_STORAGE_CONNECTION_STRING is for the account ${account}, and the store is in the account ${location.account}: correct one of the two`,
    );
  }
  const url = new URL(service.url);
  const token = url.search.slice(1);
  url.search = "";
  return {
    credential: key === undefined ? { kind: "sas", token } : { kind: "key", key },
    endpoint: location.endpoint ?? url.href.replace(/\/$/, ""),
  };
}

function parsed(text: string): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(text);
  } catch (cause) {
    throw new StorageError(
      "denied",
      "AZURE_STORAGE_CONNECTION_STRING is not a connection string: copy it anew from the account's page, under access keys",
      { cause },
    );
  }
}
