import { randomBytes, randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { findService } from "../../scripts/services.ts";
import { ServiceProcess } from "./service-process.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

/** An S3 server of the machine's own (versitygw), with its buckets in a temporary folder. Disposing of it ends it. */
export class S3Server implements AsyncDisposable {
  readonly endpoint: string;
  /** What programs find it and its credentials by. */
  readonly env: Readonly<Record<string, string>>;
  readonly #buckets: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(port: number, keys: Keys, buckets: string, resources: AsyncDisposableStack) {
    this.endpoint = `http://127.0.0.1:${port}`;
    this.env = {
      AWS_ACCESS_KEY_ID: keys.id,
      AWS_SECRET_ACCESS_KEY: keys.secret,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: this.endpoint,
      // Whatever else this machine is configured for must not play a part.
      AWS_CONFIG_FILE: join(buckets, "..", "no-config"),
      AWS_SHARED_CREDENTIALS_FILE: join(buckets, "..", "no-credentials"),
      AWS_EC2_METADATA_DISABLED: "true",
    };
    this.#buckets = buckets;
    this.#resources = resources;
  }

  /** @throws Error with the reason when versitygw is not to be had; `requireService` tells tests beforehand */
  static async start(): Promise<S3Server> {
    const service = await findService("versitygw");
    if ("missing" in service) throw new Error(`versitygw: ${service.missing}`);
    await using resources = new AsyncDisposableStack();
    const folder = resources.use(await TemporaryFolder.create("s3"));
    const [buckets, metadata] = [join(folder.path, "buckets"), join(folder.path, "metadata")];
    await Promise.all([mkdir(buckets), mkdir(metadata)]);
    const keys = { id: `HOLDALL${randomBytes(6).toString("hex")}`, secret: randomBytes(20).toString("hex") };
    const server = resources.use(
      await ServiceProcess.start({
        service,
        // Metadata in files of their own, because not every file system for temporary files has attributes to hold it.
        args: (port) => [...OPTIONS, "--port", `127.0.0.1:${port}`, "posix", buckets],
        env: { ROOT_ACCESS_KEY: keys.id, ROOT_SECRET_KEY: keys.secret },
      }),
    );
    return new S3Server(server.port, keys, buckets, resources.move());
  }

  /** Makes an empty bucket with a name of its own. */
  async createBucket(): Promise<string> {
    const name = `holdall-${randomUUID()}`;
    // To versitygw a folder is a bucket.
    await mkdir(join(this.#buckets, name));
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

const REGION = "us-east-1";
const OPTIONS = ["--keep-alive", "--quiet", "--region", REGION];

interface Keys {
  readonly id: string;
  readonly secret: string;
}
