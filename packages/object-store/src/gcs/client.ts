import { generateKeyPair, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { Storage, type StorageOptions } from "@google-cloud/storage";
import { StorageError } from "../errors.ts";
import { credentialsError } from "./errors.ts";
import type { GcsLocation } from "./options.ts";

/** A bucket, and who asks. */
export interface GcsClient {
  readonly bucket: string;
  /** Origin of the API. */
  readonly endpoint: string;
  /** Who pays, where it is not the owner of the bucket. */
  readonly project: string | undefined;
  /** Of new objects. */
  readonly storageClass: string | undefined;
  /**
   * Headers that say who asks.
   * @param what that is needed for, as in `storing objects/one`
   * @throws StorageError `denied` when there are no credentials, or Google does not accept them
   */
  readonly credentials: (what: string) => Promise<Readonly<Record<string, string>>>;
  /** The SDK for signing URLs: knows in whose name, and where they lead. */
  readonly signing: Storage;
}

export interface ClientEnvironment {
  /** As other clients of Cloud Storage take it: `http://host:port` of an emulator, or `host:port`. */
  readonly STORAGE_EMULATOR_HOST?: string | undefined;
}

const GOOGLE = "https://storage.googleapis.com";
const LOOPBACK = /^http:\/\/(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/;

/**
 * Makes the client of a location. Asks nobody anything yet. Credentials are the Application Default Credentials; an
 * emulator gets none.
 * @throws StorageError `invalid` when credentials would travel unencrypted
 */
export function makeGcsClient(location: GcsLocation, environment: ClientEnvironment = process.env): GcsClient {
  const { bucket, project, storageClass } = location;
  const emulator = emulatorOf(location, environment);
  const endpoint = emulator ?? location.endpoint ?? GOOGLE;
  if (emulator === undefined && endpoint.startsWith("http:")) {
    throw new StorageError(
      "invalid",
      `the credentials for gs://${bucket} would travel to ${endpoint} unencrypted: write https, or, for an emulator ` +
        `on another machine, leave the endpoint out and set STORAGE_EMULATOR_HOST=${endpoint}`,
    );
  }
  const who = emulator === undefined ? accountOf(location, endpoint) : nobody(location, endpoint);
  return { bucket, endpoint, project, storageClass, ...who };
}

type Who = Pick<GcsClient, "credentials" | "signing">;

function emulatorOf({ endpoint }: GcsLocation, { STORAGE_EMULATOR_HOST: host }: ClientEnvironment): string | undefined {
  if (endpoint !== undefined) return LOOPBACK.test(endpoint) ? endpoint : undefined;
  if (host === undefined || host === "") return undefined;
  const url = URL.parse(/^https?:\/\//.test(host) ? host : `http://${host}`);
  if (url === null) {
    throw new StorageError("invalid", `STORAGE_EMULATOR_HOST is ${JSON.stringify(host)}: write http://host:port`);
  }
  return url.origin;
}

/** Whom the machine's credentials name. */
function accountOf({ bucket, publicEndpoint, project, signer }: GcsLocation, endpoint: string): Who {
  const options: StorageOptions = project === undefined ? {} : { projectId: project };
  const { authClient } = new Storage({ ...options, apiEndpoint: endpoint });
  const signing = new Storage({ ...options, apiEndpoint: publicEndpoint ?? endpoint });
  if (signer !== undefined) signAs(signing, signer, throughIam(signing, signer));
  return {
    async credentials(what) {
      try {
        return Object.fromEntries(await authClient.getRequestHeaders(endpoint));
      } catch (error) {
        throw credentialsError(error, { what, bucket });
      }
    },
    signing,
  };
}

/** In base64, of text. */
type Sign = (text: string) => Promise<string>;

/** Has the SDK sign as this one, where by itself it would sign only as whom the credentials name. */
function signAs({ authClient }: Storage, email: string, sign: Sign): void {
  authClient.getCredentials = async () => ({ client_email: email });
  authClient.sign = sign;
}

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob */
function throughIam({ authClient, universeDomain }: Storage, signer: string): Sign {
  const url = `https://iamcredentials.${universeDomain}/v1/projects/-/serviceAccounts/${signer}:signBlob`;
  return async (text) => {
    const answer = await authClient.request<{ readonly signedBlob: string }>({
      url,
      method: "POST",
      data: { payload: Buffer.from(text).toString("base64") },
      // Signing twice does no harm.
      retryConfig: { httpMethodsToRetry: ["POST"] },
    });
    return answer.data.signedBlob;
  };
}

/** An emulator asks for no credentials, and looks at no signature, but wants one: that of a key that nobody keeps. */
function nobody({ publicEndpoint }: GcsLocation, endpoint: string): Who {
  const signing = new Storage({ apiEndpoint: publicEndpoint ?? endpoint });
  signAs(signing, "nobody@emulator.invalid", async (text) =>
    sign("RSA-SHA256", Buffer.from(text), await (throwAwayKey ??= makeKey())).toString("base64"),
  );
  return { credentials: async () => ({}), signing };
}

/** One for all emulators: it takes a while to make. */
let throwAwayKey: Promise<KeyObject> | undefined;

async function makeKey(): Promise<KeyObject> {
  return (await promisify(generateKeyPair)("rsa", { modulusLength: 2048 })).privateKey;
}
