import { batches } from "./batches.bench.ts";
import { client } from "./client.bench.ts";
import { gitRemote } from "./git-remote.bench.ts";
import { largeDownload } from "./large-download.bench.ts";
import { largeUpload } from "./large-upload.bench.ts";
import { memory } from "./memory.bench.ts";
import { smallDownloads } from "./small-downloads.bench.ts";
import { start } from "./start.bench.ts";
import { s3Store } from "./s3-store.bench.ts";
import { signing } from "./signing.bench.ts";
import type { Bench } from "./support/bench.ts";

/** All loads, in the order of the page. */
export const loads: readonly Bench[] = [
  largeUpload,
  largeDownload,
  smallDownloads,
  batches,
  client,
  memory,
  s3Store,
  signing,
  gitRemote,
  start,
];
