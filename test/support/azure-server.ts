import { createHmac, randomUUID } from "node:crypto";
import { type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { findService, type FoundService } from "../../scripts/services.ts";
import { ServiceProcess } from "./service-process.ts";

/** Azurite's own, which everybody knows. */
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const VERSION = "2021-12-02";

/** Files of a certificate, for a server that is to take tokens of identities: it does so over https only. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Azurite on a free port, with everything in memory. */
export class AzureServer implements AsyncDisposable {
  readonly account: string = ACCOUNT;
  /** What stands before `/container`. */
  readonly endpoint: string;
  /** Where it listens, without the account. */
  readonly origin: string;
  /** Whoever has these variables may do everything. */
  readonly env: Readonly<NodeJS.ProcessEnv> = { AZURE_STORAGE_ACCOUNT: ACCOUNT, AZURE_STORAGE_KEY: KEY };
  readonly #process: ServiceProcess;

  private constructor(process: ServiceProcess, scheme: string) {
    this.#process = process;
    this.origin = `${scheme}://127.0.0.1:${process.port}`;
    this.endpoint = `${this.origin}/${ACCOUNT}`;
  }

  /** @returns why there is none, where Azurite can neither be found nor installed */
  static async start(certificate?: Certificate): Promise<AzureServer | { readonly missing: string }> {
    const service = await findService("azurite");
    return "missing" in service ? service : await AzureServer.#start(service, certificate);
  }

  static async #start(service: FoundService, certificate: Certificate | undefined): Promise<AzureServer> {
    const secure =
      certificate === undefined ? [] : ["--oauth", "basic", "--cert", certificate.cert, "--key", certificate.key];
    const process = await ServiceProcess.start({
      service,
      args: (port) => [
        "--blobPort",
        String(port),
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--silent",
        ...secure,
      ],
      // It is a script, and is to run on the same Node.js as the tests.
      env: { PATH: `${dirname(globalThis.process.execPath)}:${globalThis.process.env["PATH"] ?? ""}` },
    });
    return new AzureServer(process, certificate === undefined ? "http" : "https");
  }

  /** @returns the name of a new, empty container */
  async createContainer(): Promise<string> {
    const name = `test-${randomUUID()}`;
    const path = `/${ACCOUNT}/${name}`;
    const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": VERSION };
    // https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key: no standard headers but the method
    const toSign = `PUT${"\n".repeat(12)}${headersToSign(headers)}/${ACCOUNT}${path}\nrestype:container`;
    const signature = createHmac("sha256", Buffer.from(KEY, "base64")).update(toSign).digest("base64");
    const { status, body } = await put(new URL(`${path}?restype=container`, this.origin), {
      ...headers,
      Authorization: `SharedKey ${ACCOUNT}:${signature}`,
    });
    if (status !== 201) throw new Error(`Azurite made no container: ${status} ${body}`);
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** Over a connection of its own, which is closed, so that tests can count theirs. */
async function put(
  url: URL,
  headers: OutgoingHttpHeaders,
): Promise<{ readonly status: number; readonly body: string }> {
  const request = url.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = request(url, { method: "PUT", headers, agent: false, rejectUnauthorized: false });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve).once("error", reject);
  });
  outgoing.end();
  const response = await answer;
  return { status: response.statusCode ?? 0, body: await text(response) };
}

function headersToSign(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}:${value}\n`)
    .join("");
}
