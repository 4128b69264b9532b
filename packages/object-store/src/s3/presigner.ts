import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { SignedRequest } from "../port.ts";
import type { S3Connection } from "./client.ts";
import { s3Error } from "./errors.ts";
import { encoded, QuerySigner } from "./sign-query.ts";

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

/** Signs requests for others to send, with the credentials of the connection. */
export class Presigner {
  readonly #connection: S3Connection;
  readonly #signer: QuerySigner;

  constructor(connection: S3Connection) {
    this.#connection = connection;
    this.#signer = new QuerySigner(connection.region);
  }

  /** @throws StorageError `invalid` when it cannot be valid for as long as that; `denied` without credentials */
  async sign({ method, name, query = {}, headers = {}, expiresIn }: ToSign): Promise<SignedRequest> {
    if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > MOST_SECONDS) {
      throw new StorageError("invalid", `a request is signed for 1 to ${MOST_SECONDS} seconds, not for ${expiresIn}`);
    }
    const { patient, location, region } = this.#connection;
    const publicUrl = await this.#connection.publicUrl();
    const date = new Date();
    const path = publicUrl.pathname + name.split("/").map(encoded).join("/");
    try {
      const credentials = await patient.config.credentials();
      const signed = this.#signer.sign(
        { method, host: publicUrl.host, path, query, headers },
        { credentials, date, expiresIn },
      );
      const end = date.getTime() + expiresIn * 1000;
      return {
        method,
        url: `${publicUrl.origin}${path}?${signed}`,
        headers,
        // No signature outlives the credentials that made it.
        expiresAt: new Date(Math.min(end, credentials.expiration?.getTime() ?? end)),
      };
    } catch (error) {
      throw s3Error(error, { what: `signing a request for ${name}`, needs: "" }, { bucket: location.bucket, region });
    }
  }
}
