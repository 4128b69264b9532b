import assert from "node:assert/strict";
import {
  BatchResponse,
  LFS_MEDIA_TYPE,
  LockResponse,
  type BatchObject,
  type Lock,
  type Operation,
} from "@holdall/lfs-protocol";
import { sha256 } from "./content.ts";
import { send, type Answer, type Call } from "./http.ts";
import { message } from "./messages.ts";

export interface Asked {
  readonly oid: string;
  readonly size?: number;
}

/** @param credentials `name:password` */
export function basicAuthorization(credentials: string): { readonly Authorization: string } {
  return { Authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
}

/** Speaks to a server as a client does for one person, and says what it makes of the answers. */
export class LfsUser {
  readonly port: number;
  /** Nothing for nobody in particular. */
  readonly #authorization: { readonly Authorization?: string };
  readonly #ownConnections: boolean;

  /**
   * @param credentials `name:password`
   * @param o `ownConnections`: each request comes over a connection of its own
   */
  constructor(port: number, credentials?: string, o: { readonly ownConnections?: boolean } = {}) {
    this.port = port;
    this.#authorization = credentials === undefined ? {} : basicAuthorization(credentials);
    this.#ownConnections = o.ownConnections ?? false;
  }

  /** @param path from the first slash on, sent as it is */
  request(
    method: string,
    path: string,
    o: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string | Uint8Array } = {},
  ): Promise<Answer> {
    return this.#send({ ...o, method, path, headers: { ...this.#authorization, ...o.headers } });
  }

  /** A message of the LFS API. @param path below the server, such as `team/app/objects/batch` */
  post(path: string, body: unknown): Promise<Answer> {
    const headers = { Accept: LFS_MEDIA_TYPE, "Content-Type": `${LFS_MEDIA_TYPE}; charset=utf-8` };
    return this.request("POST", `/${path}`, { headers, body: JSON.stringify(body) });
  }

  get(path: string): Promise<Answer> {
    return this.request("GET", `/${path}`, { headers: { Accept: LFS_MEDIA_TYPE } });
  }

  askBatch(repository: string, operation: Operation, objects: readonly Asked[]): Promise<Answer> {
    return this.post(`${repository}/objects/batch`, { operation, transfers: ["basic"], objects, hash_algo: "sha256" });
  }

  /** Asks for a batch that must be granted, and gives its objects. */
  async batch(repository: string, operation: Operation, objects: readonly Asked[]): Promise<readonly BatchObject[]> {
    return message(BatchResponse, 200, await this.askBatch(repository, operation, objects)).objects;
  }

  /** The batch's answer about one object. */
  async ask(repository: string, operation: Operation, object: Asked): Promise<BatchObject> {
    const [answer] = await this.batch(repository, operation, [object]);
    assert.ok(answer !== undefined);
    return answer;
  }

  /** Where the batch sends this user for the transfer, as a path. */
  async target(repository: string, operation: Operation, object: Asked): Promise<string> {
    const { actions } = await this.ask(repository, operation, object);
    const href = actions?.[operation]?.href;
    assert.ok(href !== undefined, `the batch grants no ${operation} of ${object.oid}`);
    const { pathname, search } = new URL(href);
    return pathname + search;
  }

  /** Uploads as a client does, batch first, which must succeed. @returns the oid */
  async upload(repository: string, bytes: Uint8Array): Promise<string> {
    const { status, body } = await this.tryUpload(repository, bytes);
    assert.equal(status, 200, body.toString());
    return sha256(bytes);
  }

  /** {@link upload}, of which only the batch must succeed. @returns the answer to the transfer */
  async tryUpload(repository: string, bytes: Uint8Array): Promise<Answer> {
    const path = await this.target(repository, "upload", { oid: sha256(bytes), size: bytes.length });
    // Nobody's credentials: the action carries what is needed.
    return await this.#send({ method: "PUT", path, body: bytes });
  }

  /** Downloads as a client does, batch first. */
  async download(repository: string, object: Asked, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const path = await this.target(repository, "download", object);
    return await this.#send({ method: "GET", path, headers });
  }

  /** Takes a lock that must be free. */
  async lock(repository: string, path: string): Promise<Lock> {
    return message(LockResponse, 201, await this.post(`${repository}/locks`, { path })).lock;
  }

  #send(call: Omit<Call, "port" | "ownConnection">): Promise<Answer> {
    return send({ ...call, port: this.port, ownConnection: this.#ownConnections });
  }
}
