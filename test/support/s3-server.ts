import { randomBytes, randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { findService } from "../../scripts/services.ts";
import { ServiceProcess } from "./service-process.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const REGION = "us-east-1";
const OPTIONS = ["--keep-alive", "--quiet", "--region", REGION];

/** An S3 server of the machine's own (versitygw), its buckets in a temporary folder. Disposing of it ends it. */
export class S3Server implements AsyncDisposable {
  readonly endpoint: string;
  /** By which programs of AWS find it and its credentials, and nothing else that this machine is configured for. */
  readonly env: Readonly<Record<string, string>>;
  readonly #buckets: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    port: number,
    keys: Readonly<Record<string, string>>,
    folder: string,
    held: AsyncDisposableStack,
  ) {
    this.endpoint = `http://127.0.0.1:${port}`;
    this.env = {
      ...keys,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_CONFIG_FILE: join(folder, "none"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
      AWS_EC2_METADATA_DISABLED: "true",
    };
    this.#buckets = join(folder, "buckets");
    this.#resources = held;
  }

  /** Why there can be none; undefined when there can. */
  static async missing(): Promise<string | undefined> {
    const service = await findService("versitygw");
    return "missing" in service ? `versitygw: ${service.missing}` : undefined;
  }

  /** @throws Error where it is {@link missing}, or does not serve */
  static async start(): Promise<S3Server> {
    const service = await findService("versitygw");
    if ("missing" in service) throw new Error(`versitygw: ${service.missing}`);
    await using resources = new AsyncDisposableStack();
    // It keeps metadata in extended attributes of files, which Linux has had in temporary memory (tmpfs) since 6.6.
    const folder = resources.use(await TemporaryFolder.create("s3"));
    const buckets = join(folder.path, "buckets");
    await mkdir(buckets);
    const [id, secret] = [`HOLDALL${randomBytes(6).toString("hex")}`, randomBytes(20).toString("hex")];
    const server = await ServiceProcess.start({
      service,
      args: (port) => [...OPTIONS, "--port", `127.0.0.1:${port}`, "posix", buckets],
      env: { ROOT_ACCESS_KEY: id, ROOT_SECRET_KEY: secret },
    });
    resources.use(server);
    const keys = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret };
    return new S3Server(server.port, keys, folder.path, resources.move());
  }

  /** Makes an empty bucket with a name of its own. */
  async createBucket(): Promise<string> {
    const name = `holdall-${randomUUID()}`;
    // To versitygw each folder is a bucket.
    await mkdir(join(this.#buckets, name));
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
