import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { SignedRequest } from "../port.ts";
import type { S3Connection } from "./client.ts";
import { s3Error } from "./errors.ts";

/** The longest that Signature Version 4 allows. */
const MOST_SECONDS = 7 * 24 * 3600;

export interface ToSign {
  readonly method: "GET" | "PUT";
  /** In the bucket. */
  readonly name: ObjectKey;
  readonly query?: Readonly<Record<string, string>>;
  /** To be sent exactly as they are. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly expiresIn: number;
}

/**
 * Signs requests for others to send. Not with the `getSignedUrl` of the SDK, which runs each request through the whole
 * client and takes ten times as long; a batch has a hundred of them.
 */
export class Presigner {
  readonly #connection: S3Connection;

  constructor(connection: S3Connection) {
    this.#connection = connection;
  }

  /** @throws StorageError `invalid` when it cannot be valid for as long as that; `denied` without credentials */
  async sign({ method, name, query = {}, headers = {}, expiresIn }: ToSign): Promise<SignedRequest> {
    if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > MOST_SECONDS) {
      throw new StorageError("invalid", `a request is signed for 1 to ${MOST_SECONDS} seconds, not for ${expiresIn}`);
    }
    const { publicUrl, signer, patient, location, region } = this.#connection;
    const { protocol, hostname, port } = publicUrl;
    const signingDate = new Date();
    const names = Object.keys(headers).map((header) => header.toLowerCase());
    try {
      const signed = await signer.presign(
        {
          method,
          protocol,
          hostname,
          ...(port === "" ? {} : { port: Number(port) }),
          path: publicUrl.pathname + name.split("/").map(encoded).join("/"),
          query: { ...query },
          headers: { ...headers },
        },
        // Headers that moved into the query would bind nobody, and the content type would go unsigned.
        { expiresIn, signingDate, unhoistableHeaders: new Set(names), signableHeaders: new Set(["host", ...names]) },
      );
      const { expiration } = await patient.config.credentials();
      const end = signingDate.getTime() + expiresIn * 1000;
      return {
        method,
        url: `${publicUrl.origin}${signed.path}?${queryOf(signed.query ?? {})}`,
        headers,
        // No signature outlives the credentials that made it.
        expiresAt: new Date(Math.min(end, expiration?.getTime() ?? end)),
      };
    } catch (error) {
      throw s3Error(error, { what: `signing a request for ${name}`, needs: "" }, { bucket: location.bucket, region });
    }
  }
}

function queryOf(query: Readonly<Record<string, string | string[] | null>>): string {
  return Object.entries(query)
    .map(([key, value]) => `${encoded(key)}=${encoded(String(value ?? ""))}`)
    .join("&");
}

/** As signatures need it: everything but the unreserved characters of RFC 3986. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
