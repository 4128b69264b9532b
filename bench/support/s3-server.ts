import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { findService } from "../../scripts/services.ts";
import { cleanEnvironment } from "../../test/support/holdall.ts";
import { freePort, ServerProcess } from "./server-process.ts";
import type { Stage } from "./stage.ts";

export interface S3 {
  readonly process: ServerProcess;
  readonly bucket: string;
  /** By which the SDK finds it. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** Starts versitygw over a folder, with one bucket. @throws Error when it is not here */
export async function startS3(stage: Stage): Promise<S3> {
  const service = await findService("versitygw");
  if ("missing" in service) throw new Error(`versitygw: ${service.missing}`);
  const folder = await stage.folder("s3");
  const bucket = "bench";
  await mkdir(join(folder, "buckets", bucket), { recursive: true });
  const port = await freePort();
  const [id, secret] = [randomBytes(8).toString("hex"), randomBytes(20).toString("hex")];
  const process = await ServerProcess.start(stage, {
    name: "versitygw",
    program: service.path,
    args: ["--keep-alive", "--quiet", "--port", `127.0.0.1:${port}`, "posix", join(folder, "buckets")],
    env: { ...cleanEnvironment(), ROOT_ACCESS_KEY: id, ROOT_SECRET_KEY: secret },
    folder,
    ready: { port },
  });
  const none = join(folder, "none");
  const env = {
    ...cleanEnvironment(),
    AWS_ACCESS_KEY_ID: id,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT_URL: process.origin,
    AWS_CONFIG_FILE: none,
    AWS_SHARED_CREDENTIALS_FILE: none,
  };
  return { process, bucket, env };
}
