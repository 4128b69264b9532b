/**
 * The same transfers without a server in between: straight to the bucket by the SDK of AWS, as its documentation shows them.
 *
 *     node sdk-s3.ts BUCKET put FILE KEY                    a large object, in parts (lib-storage)
 *     node sdk-s3.ts BUCKET get KEY                         fetched, and thrown away
 *     node sdk-s3.ts BUCKET put-many FIRST COUNT SIZE       different objects, eight at a time
 *     node sdk-s3.ts BUCKET get-many FIRST COUNT SIZE
 *
 * Prints the seconds that it took. Endpoint and credentials come from the environment.
 */
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { TRANSFERS_AT_ONCE } from "./lfs-api.ts";
import { atOnce, smallObjects } from "./objects.ts";

const [bucket = "", job = "", ...args] = process.argv.slice(2);
const client = new S3Client({ forcePathStyle: true });

async function put(file: string, key: string): Promise<number> {
  const started = performance.now();
  const params = { Bucket: bucket, Key: key, Body: createReadStream(file, { highWaterMark: 1024 * 1024 }) };
  await new Upload({ client, params }).done();
  return performance.now() - started;
}

async function get(key: string): Promise<number> {
  const started = performance.now();
  await fetched(key);
  return performance.now() - started;
}

/** @returns its length in bytes */
async function fetched(key: string): Promise<number> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  let length = 0;
  for await (const chunk of Body as Readable) length += (chunk as Buffer).length;
  return length;
}

async function many(way: "put" | "get", first: number, count: number, size: number): Promise<number> {
  const objects = smallObjects(count, size, first);
  const started = performance.now();
  await atOnce(TRANSFERS_AT_ONCE, objects, async ({ oid, bytes }) => {
    if (way === "put") await client.send(new PutObjectCommand({ Bucket: bucket, Key: `sdk/${oid}`, Body: bytes }));
    else if ((await fetched(`sdk/${oid}`)) !== size) throw new Error(`${oid} did not come whole`);
  });
  return performance.now() - started;
}

const [one = "", two = "", three = ""] = args;
const jobs: Readonly<Record<string, () => Promise<number>>> = {
  put: () => put(one, two),
  get: () => get(one),
  "put-many": () => many("put", Number(one), Number(two), Number(three)),
  "get-many": () => many("get", Number(one), Number(two), Number(three)),
};
const run = jobs[job];
if (run === undefined) throw new Error(`${job} is no job`);
console.log((await run()) / 1000);
client.destroy();
