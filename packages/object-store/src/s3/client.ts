import { HeadBucketCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { fromNodeProviderChain } from "@aws-sdk/credential-providers";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { agents } from "./agents.ts";
import type { S3Location } from "./options.ts";

/** What the adapter needs to talk to one bucket. */
export interface S3Connection {
  readonly location: S3Location;
  readonly region: string;
  /** Repeats what fails for a moment, with backoff; `AWS_MAX_ATTEMPTS` says how often. */
  readonly patient: S3Client;
  /** Sends each request once. Shares connections and credentials with the other. */
  readonly once: S3Client;
  /** Where presigned requests for the bucket go; ends with a slash. */
  readonly publicUrl: () => Promise<URL>;
}

export interface ConnectOptions {
  /** For how long a connection may stand still, in milliseconds. */
  readonly idle?: number;
}

/** The SDK would write to the console. */
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };
function nothing(): void {}

/** A write without an answer is looked for once: twice this, and not the two minutes that callers may be willing to wait. */
const IDLE = 50_000;
const CONNECT = 10_000;

/**
 * Makes clients of location and environment: `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_PROFILE`, the shared configuration
 * files, and so on. Credentials are looked for when the first request needs them.
 */
export async function connectS3(location: S3Location, { idle = IDLE }: ConnectOptions = {}): Promise<S3Connection> {
  const { bucket, profile, endpoint, publicEndpoint } = location;
  const named = profile === undefined ? {} : { profile };
  const region = await regionOf(location, named);
  const where = { ...named, region, ...(endpoint === undefined ? {} : { endpoint }) };
  const pathStyle = location.pathStyle ?? (isElsewhere(location) || (await locate(where, bucket)).custom);
  const config: S3ClientConfig = {
    ...where,
    forcePathStyle: pathStyle,
    credentials: fromNodeProviderChain(named),
    // Its own time-out would also end a body that the caller does not read at the moment.
    requestHandler: { ...agents(idle), connectionTimeout: CONNECT, socketTimeout: 0, logger: SILENT },
    // Checksums of its own making in trailers and headers are more than many a store besides Amazon's understands.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // It would take a connection of its own, and a way there and back, for each part.
    expectContinueHeader: false,
    logger: SILENT,
  };
  const patient = new S3Client(config);
  const { credentials, requestHandler } = patient.config;
  const once = new S3Client({ ...config, credentials, requestHandler, maxAttempts: 1 });
  const outside = publicEndpoint === undefined ? where : { ...where, endpoint: publicEndpoint };
  const publicPathStyle = location.pathStyle ?? (publicEndpoint !== undefined || pathStyle);
  let publicUrl: Promise<URL> | undefined;
  return {
    location,
    region,
    patient,
    once,
    publicUrl: () =>
      (publicUrl ??= locate({ ...outside, forcePathStyle: publicPathStyle }, bucket).then(({ url }) => url)),
  };
}

/** Whether it is plain to see that the bucket is at an endpoint of somebody's choosing. */
function isElsewhere({ endpoint }: S3Location): boolean {
  if (endpoint !== undefined) return true;
  const { AWS_ENDPOINT_URL_S3: s3, AWS_ENDPOINT_URL: all, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: ignored } = process.env;
  return (s3 || all || "") !== "" && ignored !== "true";
}

async function regionOf({ region }: S3Location, named: S3ClientConfig): Promise<string> {
  const given = region ?? (process.env["AWS_REGION"] || process.env["AWS_DEFAULT_REGION"]);
  if (given !== undefined && given !== "") return given;
  const client = new S3Client(named);
  try {
    // That of the profile; it throws when there is none.
    return await client.config.region();
  } catch {
    return "us-east-1";
  } finally {
    client.destroy();
  }
}

const NOBODY = { accessKeyId: "nobody", secretAccessKey: "none" };

/**
 * Where a bucket is, and whether that is an endpoint of somebody's choosing. Only the SDK knows: it has the rules for
 * regions and partitions, and reads the environment. It tells by signing, for which any credentials will do.
 */
async function locate(config: S3ClientConfig, bucket: string): Promise<{ url: URL; custom: boolean }> {
  const client = new S3Client({ ...config, credentials: NOBODY });
  const { origin, pathname } = new URL(await getSignedUrl(client, new HeadBucketCommand({ Bucket: bucket })));
  client.destroy();
  return { url: new URL(pathname.replace(/\/?$/, "/"), origin), custom: client.config.endpoint !== undefined };
}
