import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { connectS3, type S3Connection } from "./client.ts";
import type { S3Location } from "./options.ts";

const NAMES = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"] as const;

const CONFIGURATION = `
[default]
region = eu-north-1
[profile other]
region = ap-south-1
[profile minio]
endpoint_url = http://minio.example.com:9000
`;

/** Connects with nothing but these variables in the environment, and a configuration file. */
async function connectIn(
  t: TestContext,
  variables: Partial<Record<(typeof NAMES)[number], string>>,
  more: Partial<S3Location> = {},
): Promise<S3Connection> {
  for (const name of NAMES) delete process.env[name];
  const folder = await temporaryFolder(t, "aws");
  const [AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE] = [join(folder, "config"), join(folder, "none")];
  await writeFile(AWS_CONFIG_FILE, CONFIGURATION);
  Object.assign(process.env, variables, { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE });
  const connection = await connectS3({ kind: "s3", bucket: "some-bucket", ...more });
  t.after(() => {
    connection.patient.destroy();
    connection.once.destroy();
  });
  return connection;
}

test("the region is that of the URL, of the environment, of the profile, or the first one there was", async (t) => {
  const environment = { AWS_REGION: "us-west-1", AWS_DEFAULT_REGION: "us-west-2" };
  assert.equal((await connectIn(t, environment, { region: "sa-east-1" })).region, "sa-east-1");
  assert.equal((await connectIn(t, environment)).region, "us-west-1");
  assert.equal((await connectIn(t, { AWS_DEFAULT_REGION: "us-west-2" })).region, "us-west-2");
  assert.equal((await connectIn(t, {})).region, "eu-north-1");
  assert.equal((await connectIn(t, {}, { profile: "other" })).region, "ap-south-1");
  assert.equal((await connectIn(t, { AWS_PROFILE: "other" })).region, "ap-south-1");
  assert.equal((await connectIn(t, {}, { profile: "minio" })).region, "us-east-1");
});

test("buckets are named in the host at Amazon, and in the path at an endpoint, wherever that comes from", async (t) => {
  const endpoint = "http://minio.example.com:9000";
  const url = async (...o: Parameters<typeof connectIn> extends [unknown, ...infer R] ? R : never): Promise<string> => {
    const connection = await connectIn(t, ...o);
    // What presigned requests and what all others go by.
    const { forcePathStyle } = connection.patient.config;
    const { pathname, href } = await connection.publicUrl();
    assert.equal(forcePathStyle, pathname !== "/");
    return href;
  };
  assert.equal(await url({}), "https://some-bucket.s3.eu-north-1.amazonaws.com/");
  assert.equal(await url({}, { pathStyle: true }), "https://s3.eu-north-1.amazonaws.com/some-bucket/");
  assert.equal(await url({}, { endpoint }), `${endpoint}/some-bucket/`);
  assert.equal(await url({}, { endpoint, pathStyle: false }), "http://some-bucket.minio.example.com:9000/");
  assert.equal(await url({ AWS_ENDPOINT_URL: endpoint }), `${endpoint}/some-bucket/`);
  assert.equal(await url({ AWS_ENDPOINT_URL_S3: endpoint }), `${endpoint}/some-bucket/`);
  assert.equal(await url({ AWS_PROFILE: "minio" }), `${endpoint}/some-bucket/`);
  assert.equal(await url({ AWS_ENDPOINT_URL: "http://other.example.com" }, { endpoint }), `${endpoint}/some-bucket/`);
});

test("nothing is sent that only Amazon's own store understands", async (t) => {
  const { config } = (await connectIn(t, {})).patient;
  assert.equal(await config.requestChecksumCalculation(), "WHEN_REQUIRED");
  assert.equal(await config.responseChecksumValidation(), "WHEN_REQUIRED");
});
