import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { type Answer, type Call, send, xmlAnswer } from "./answer.ts";
import { type Bucket, Buckets } from "./buckets.ts";
import { errorXml, S3Error } from "./errors.ts";
import { type Fault, Faults, type PlantedError, type Target } from "./faults.ts";
import { listObjects, listParts, listUploads } from "./listings.ts";
import { copyObject, deleteObject, getObject, putObject } from "./objects.ts";
import { type Operation, parseRequest, type S3Request } from "./operations.ts";
import { readPayload } from "./payload.ts";
import { absence, authorize } from "./permissions.ts";
import { Policy } from "./policy.ts";
import { verify } from "./signature.ts";
import { abortUpload, completeUpload, createUpload, uploadPart, uploadPartCopy } from "./uploads.ts";

const REGION = "us-east-1";

const HANDLERS: Readonly<Record<Operation, (call: Call) => Answer>> = {
  GetObject: getObject,
  HeadObject: getObject,
  PutObject: putObject,
  DeleteObject: deleteObject,
  CopyObject: copyObject,
  ListObjectsV2: listObjects,
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  ListParts: listParts,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListMultipartUploads: listUploads,
};

/** A request, and what became of it. */
export interface Recorded {
  readonly method: string;
  /** Undefined for what the server cannot do. */
  readonly operation: Operation | undefined;
  readonly bucket: string;
  readonly key: string;
  readonly headers: IncomingHttpHeaders;
  /** 0 until the answer begins, and for good if none comes. */
  status: number;
}

interface User {
  readonly secret: string;
  /** Undefined for whoever may do everything. */
  readonly policy: Policy | undefined;
}

export interface S3TestServerOptions {
  /** How many entries a page of a listing has at most: 1000, as S3 has, or fewer, as S3 may. */
  readonly pageSize?: number;
}

/**
 * A server that speaks S3, for machines that have none, and for faults that none has on demand. It keeps to Amazon's
 * documentation, checks each signature and each digest, and refuses what it does not know. Everything is in memory, and
 * goes when it is disposed of.
 */
export class S3TestServer implements AsyncDisposable {
  readonly endpoint: string;
  /** By which programs of AWS find it and its credentials, and nothing else that this machine is configured for. */
  readonly env: Readonly<Record<string, string>>;
  /** All requests so far, in the order of their arrival. */
  readonly requests: readonly Recorded[];
  readonly #requests: Recorded[] = [];
  readonly #server: Server;
  readonly #buckets = new Buckets();
  readonly #users = new Map<string, User>();
  readonly #faults = new Faults();
  readonly #pageSize: number;

  private constructor(server: Server, { pageSize = 1000 }: S3TestServerOptions) {
    this.#server = server;
    this.#pageSize = pageSize;
    this.requests = this.#requests;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.env = this.#admit(undefined);
    server.on("request", (incoming, response) => {
      // Whatever it is, a client sees of it that the connection breaks.
      this.#handle(incoming, response).catch(() => response.destroy());
    });
  }

  static async start(options: S3TestServerOptions = {}): Promise<S3TestServer> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new S3TestServer(server, options);
  }

  /** Makes an empty bucket with a name of its own. */
  async createBucket(): Promise<string> {
    const name = `holdall-${randomUUID()}`;
    this.#buckets.create(name);
    return name;
  }

  /**
   * Makes a user who may do what the policy, one of IAM, allows.
   * @returns the user's environment, as {@link env}
   * @throws Error for a policy that says what is unknown here
   */
  addUser(policy: unknown): Readonly<Record<string, string>> {
    return this.#admit(new Policy(policy));
  }

  /** What is in a bucket, past all permissions and faults. */
  look(bucket: string): Readonly<Pick<Bucket, "objects" | "uploads">> {
    return this.#buckets.get(bucket);
  }

  /** Has requests meet a fault, from now on. @returns what ends that */
  fault(target: Target, fault: Fault): () => void {
    return this.#faults.plan(target, fault);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #admit(policy: Policy | undefined): Readonly<Record<string, string>> {
    const [id, secret] = [`HOLDALL${randomBytes(6).toString("hex")}`, randomBytes(20).toString("hex")];
    this.#users.set(id, { secret, policy });
    return {
      AWS_ACCESS_KEY_ID: id,
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
    };
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomUUID();
    response.setHeader("x-amz-request-id", requestId);
    const request = parseRequest(incoming);
    const { method, operation, bucket, key, headers } = request;
    const record = { method, operation, bucket, key, headers, status: 0 };
    this.#requests.push(record);
    const fault = this.#faults.next(record) ?? {};
    const answer = await this.#answer(incoming, request, requestId, fault);
    await fault.holdAnswer?.();
    if (fault.lose === true) return void response.destroy();
    record.status = answer.status;
    await send(response, answer, { isHead: method === "HEAD", breakAfter: fault.truncateAfter });
  }

  async #answer(incoming: IncomingMessage, request: S3Request, requestId: string, fault: Fault): Promise<Answer> {
    try {
      if (fault.answer === undefined) return await this.#perform(incoming, request, fault);
      await readPayload(incoming, request, { sha256: undefined, cutAfter: fault.cutAfter });
      await fault.hold?.();
      return planted(fault.answer, requestId);
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      // Clients listen when they have sent everything.
      for await (const _ of incoming);
      const { status, code, message, details } = error;
      const xml = errorXml(code, message, requestId, details);
      return xmlAnswer(status, xml, { "x-amz-bucket-region": REGION });
    }
  }

  /** @throws S3Error with what the client is to hear; Error when nothing can be told it */
  async #perform(incoming: IncomingMessage, request: S3Request, { cutAfter, hold }: Fault): Promise<Answer> {
    const { operation } = request;
    if (operation === undefined) throw new S3Error("NotImplemented");
    if (Buffer.byteLength(request.key) > 1024) throw new S3Error("KeyTooLongError");
    const secretOf = (id: string): string | undefined => this.#users.get(id)?.secret;
    const { accessKeyId, bodySha256: sha256 } = verify(request, { region: REGION, secretOf });
    const bucket = this.#buckets.get(request.bucket);
    const policy = this.#users.get(accessKeyId)?.policy;
    authorize(policy, operation, request);
    const body = await readPayload(incoming, request, { sha256, cutAfter });
    await hold?.();
    try {
      return HANDLERS[operation]({ request, bucket, buckets: this.#buckets, body, pageSize: this.#pageSize });
    } catch (error) {
      if (error instanceof S3Error) throw absence(policy, request, error);
      // A mistake of the server's own is to be found out, not taken for a connection that broke.
      throw new S3Error("InternalError", {}, String(error));
    }
  }
}

function planted({ status, code, retryAfter }: PlantedError, requestId: string): Answer {
  const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  return xmlAnswer(status, errorXml(code, "planted", requestId), headers);
}
