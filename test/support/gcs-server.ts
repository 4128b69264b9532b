import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { after, type TestContext } from "node:test";
import { findService, type FoundService } from "../../scripts/services.ts";
import { requireService } from "./require.ts";
import { ServiceProcess } from "./service-process.ts";

/**
 * fake-gcs-server, and in front of it what Google documents and it leaves out:
 *
 * - preconditions of deletions, of copies, of what is put together, and of resumable uploads when they begin;
 * - resumable uploads that know how far they have come: fake-gcs-server takes the question for the end of the object, and
 *   chunks in any order;
 * - 404 answers that tell a bucket that is not there from an object;
 * - the length of a presigned PUT that is signed with it.
 */
export class GcsServer implements AsyncDisposable {
  /** With all of this. */
  readonly endpoint: string;
  /** fake-gcs-server as it is. */
  readonly bare: string;
  readonly #processes: AsyncDisposableStack;

  private constructor(endpoint: string, bare: string, processes: AsyncDisposableStack) {
    this.endpoint = endpoint;
    this.bare = bare;
    this.#processes = processes;
  }

  /** Starts one. @returns why not, where fake-gcs-server can neither be found nor installed */
  static async find(): Promise<GcsServer | { readonly missing: string }> {
    const service = await findService("fake-gcs-server");
    return "missing" in service ? service : await GcsServer.start(service);
  }

  /** @param service fake-gcs-server */
  static async start(service: FoundService): Promise<GcsServer> {
    await using processes = new AsyncDisposableStack();
    const options = ["-scheme", "http", "-host", "127.0.0.1", "-backend", "memory", "-log-level", "error"];
    // By its public host it knows presigned URLs, whatever their port.
    const args = (port: number): string[] => [...options, "-public-host", "127.0.0.1", "-port", String(port)];
    const server = processes.use(await ServiceProcess.start({ service, args }));
    const bare = `http://127.0.0.1:${server.port}`;
    // A process of its own, so that tests that count what they have open count only that.
    const node = { ...service, path: process.execPath };
    const front = processes.use(
      await ServiceProcess.start({ service: node, args: (port) => [import.meta.filename, bare, String(port)] }),
    );
    return new GcsServer(`http://127.0.0.1:${front.port}`, bare, processes.move());
  }

  /** @returns the name of a new, empty bucket */
  async createBucket(): Promise<string> {
    const name = `holdall-${randomUUID()}`;
    const body = Buffer.from(JSON.stringify({ name }));
    const answer = await ask(new URL("/storage/v1/b", this.bare), "POST", { "content-type": "application/json" }, body);
    const words = answer.body.toString();
    if (answer.status !== 200) throw new Error(`fake-gcs-server made no bucket: ${answer.status} ${words}`);
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#processes[Symbol.asyncDispose]();
  }
}

/** One server for all tests of a file, started for the first. Gives undefined, and skips the test, where it is missing. */
export function sharedGcsServer(): (t: TestContext) => Promise<GcsServer | undefined> {
  let started: Promise<GcsServer> | undefined;
  after(async () => (await started)?.[Symbol.asyncDispose]());
  return async (t) => {
    const service = await requireService(t, "fake-gcs-server");
    return service === undefined ? undefined : await (started ??= GcsServer.start(service));
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Session {
  /** Bytes that it has for good. */
  received: number;
  /** What was asked before, which comes first: the store may notice later than the client that a connection has broken. */
  turn: Promise<unknown>;
  /** To the last chunk. */
  completion?: Answer;
}

const OBJECT = /^(?:\/download)?\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/;
const COMPOSE = /^((\/storage\/v1\/b\/[^/]+\/o)\/[^/]+)\/compose$/;
const REWRITE = /^(\/storage\/v1\/b\/[^/]+\/o\/[^/]+)\/rewriteTo(\/b\/[^/]+\/o\/[^/]+)$/;
const UPLOAD = /^\/upload(\/storage\/v1\/b\/[^/]+\/o)$/;

/** The unit in which a session keeps what came before a connection broke. */
const KEPT = 256 * 1024;

const NOT_MET = refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.");

class GoogleRules {
  readonly #origin: string;
  readonly #sessions = new Map<string, Session>();
  #turn: Promise<unknown> = Promise.resolve();

  /** @param origin of fake-gcs-server */
  constructor(origin: string) {
    this.#origin = origin;
  }

  async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", headers } = incoming;
    const url = new URL(incoming.url ?? "/", this.#origin);
    const session = url.searchParams.get("upload_id");
    if (session !== null) return give(response, await this.#continue(session, incoming));
    if (isWrongLength(headers)) return give(response, refused(400, "badRequest", "The content has another length."));
    const isConditional =
      (method === "DELETE" && url.searchParams.has("ifGenerationMatch")) ||
      (method === "POST" && (COMPOSE.test(url.pathname) || REWRITE.test(url.pathname))) ||
      (method === "POST" && url.searchParams.get("uploadType") === "resumable");
    if (!isConditional) return await this.#pass(incoming, response, url);
    const { bytes } = await received(incoming);
    // One after the other, so that nothing comes between the question and what depends on its answer.
    const turn = this.#turn.then(
      async () => (await this.#refusal(method, url, bytes)) ?? (await this.#ask(incoming, bytes)),
    );
    this.#turn = turn.catch(() => undefined);
    give(response, await turn);
  }

  /** Why a request is refused; undefined when it is not. */
  async #refusal(method: string, { pathname, searchParams }: URL, body: Buffer): Promise<Answer | undefined> {
    const [, from, copy] = REWRITE.exec(pathname) ?? [];
    const [, composition, folder] = COMPOSE.exec(pathname) ?? [];
    const [, uploads] = UPLOAD.exec(pathname) ?? [];
    const needed: { readonly path: string; readonly generation?: string }[] = [];
    if (from !== undefined) needed.push({ path: from });
    if (method === "DELETE") needed.push({ path: pathname });
    for (const { name, generation } of composition === undefined ? [] : sourcesOf(body)) {
      needed.push({ path: `${folder}/${encodeURIComponent(name)}`, generation });
    }
    for (const { path, generation } of needed) {
      const there = await this.#generation(path);
      if (there === ABSENT || (generation !== undefined && generation !== there)) return await this.#missing(path);
    }
    const upload = `${uploads}/${encodeURIComponent(searchParams.get("name") ?? "")}`;
    const target =
      copy === undefined ? (composition ?? (uploads === undefined ? pathname : upload)) : `/storage/v1${copy}`;
    const conditions = { ifSourceGenerationMatch: from, ifGenerationMatch: target };
    for (const [parameter, path] of Object.entries(conditions)) {
      const generation = searchParams.get(parameter);
      if (generation !== null && path !== undefined && (await this.#generation(path)) !== generation) return NOT_MET;
    }
    return undefined;
  }

  async #continue(id: string, incoming: IncomingMessage): Promise<Answer> {
    const session = this.#sessions.get(id) ?? { received: 0, turn: Promise.resolve() };
    this.#sessions.set(id, session);
    const turn = session.turn.then(() => this.#advance(session, incoming));
    session.turn = turn.catch(() => undefined);
    return await turn;
  }

  /** A chunk of a session, the question how far it is, or its end. */
  async #advance(session: Session, incoming: IncomingMessage): Promise<Answer> {
    const { bytes, isWhole } = await received(incoming);
    if (incoming.method === "DELETE") session.completion = { status: 499, headers: {}, body: Buffer.alloc(0) };
    if (session.completion !== undefined) return session.completion;
    const [, start, end, size] =
      /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(incoming.headers["content-range"] ?? "") ?? [];
    if (start !== undefined && Number(start) !== session.received) return refused(503, "backendError", "out of order");
    if (start !== undefined) {
      const kept = isWhole ? bytes : bytes.subarray(0, bytes.length - (bytes.length % KEPT));
      const last = session.received + kept.length - 1;
      if (isWhole && last !== Number(end)) return refused(400, "badRequest", "the length is not that of the range");
      if (kept.length > 0) {
        const answer = await this.#ask(incoming, kept, { "content-range": `bytes ${start}-${last}/${size}` });
        if (answer.status !== 308) return (session.completion = answer);
        session.received += kept.length;
      }
    }
    const range = session.received === 0 ? {} : { range: `bytes=0-${session.received - 1}` };
    return { status: 308, headers: range, body: Buffer.alloc(0) };
  }

  /** Sends a request on, with another body and other headers perhaps. */
  async #ask(incoming: IncomingMessage, body: Buffer, other: IncomingHttpHeaders = {}): Promise<Answer> {
    const url = new URL(incoming.url ?? "/", this.#origin);
    return await ask(url, incoming.method ?? "GET", { ...incoming.headers, ...other }, body);
  }

  /** Sends a request on, and the answer back, as they come. */
  async #pass(incoming: IncomingMessage, response: ServerResponse, { pathname }: URL): Promise<void> {
    const { method = "GET", headers } = incoming;
    const onward = request(new URL(incoming.url ?? "/", this.#origin), { method, headers });
    response.once("close", () => onward.destroy());
    const answered = once(onward, "response") as Promise<[IncomingMessage]>;
    const [[back]] = await Promise.all([answered, pipeline(incoming, onward)]);
    const path = OBJECT.exec(pathname)?.[0].replace(/^\/download/, "");
    if (back.statusCode === 404 && path !== undefined) {
      back.resume();
      return give(response, await this.#missing(path));
    }
    response.writeHead(back.statusCode ?? 0, back.headers);
    await pipeline(back, response);
  }

  /** What is not there: the object, or its bucket? */
  async #missing(path: string): Promise<Answer> {
    const [, bucket = "", name = ""] = OBJECT.exec(path) ?? [];
    const { status } = await ask(new URL(`/storage/v1/b/${bucket}`, this.#origin));
    const object = `No such object: ${bucket}/${decodeURIComponent(name)}`;
    return refused(404, "notFound", status === 200 ? object : "The specified bucket does not exist.");
  }

  async #generation(path: string): Promise<string> {
    const { status, body } = await ask(new URL(path, this.#origin));
    return status === 200 ? (JSON.parse(body.toString()) as { generation: string }).generation : ABSENT;
  }
}

/** A request and its answer, over a connection that is not kept. */
async function ask(url: URL, method = "GET", headers: IncomingHttpHeaders = {}, body?: Buffer): Promise<Answer> {
  const length = body === undefined ? {} : { "content-length": String(body.length) };
  const onward = request(url, { method, headers: { ...headers, ...length }, agent: false });
  onward.end(body);
  const [response] = (await once(onward, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: (await received(response)).bytes };
}

const ABSENT = "0";

function sourcesOf(body: Buffer): readonly { readonly name: string; readonly generation: string }[] {
  return (JSON.parse(body.toString()) as { sourceObjects: { name: string; generation: string }[] }).sourceObjects;
}

function isWrongLength(headers: IncomingHttpHeaders): boolean {
  const [least = 0, most = Number.POSITIVE_INFINITY] = [headers["x-goog-content-length-range"] ?? []]
    .flat()
    .flatMap((range) => range.split(",").map(Number));
  const length = Number(headers["content-length"] ?? 0);
  return length < least || length > most;
}

function refused(code: number, reason: string, message: string): Answer {
  const body = JSON.stringify({ error: { code, message, errors: [{ domain: "global", reason, message }] } });
  return { status: code, headers: { "content-type": "application/json" }, body: Buffer.from(body) };
}

function give(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, "content-length": body.length }).end(body);
}

/** What comes of a body, all of it or what there was when the connection broke. */
async function received(incoming: IncomingMessage): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    return { bytes: Buffer.concat(chunks), isWhole: true };
  } catch {
    return { bytes: Buffer.concat(chunks), isWhole: false };
  }
}

async function main(origin: string, port: number): Promise<void> {
  const rules = new GoogleRules(origin);
  const front = createServer((incoming, response) => {
    rules.handle(incoming, response).catch(() => {
      incoming.destroy();
      response.destroy();
    });
  });
  front.listen(port, "127.0.0.1");
  await once(front, "listening");
}

if (import.meta.main) await main(process.argv[2] ?? "", Number(process.argv[3]));
