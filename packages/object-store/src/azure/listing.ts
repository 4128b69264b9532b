import type { ContainerListBlobFlatSegmentResponse } from "@azure/storage-blob";
import { compareKeys } from "../compare.ts";
import type { ObjectStat } from "../port.ts";
import type { AzureClient, Call } from "./client.ts";
import { statOf, type BlobStat } from "./look.ts";

/** The most that the service lists in one answer. */
const PAGE = 5000;

export interface ListedBlob extends Pick<BlobStat, "size" | "etag" | "modifiedAt"> {
  readonly name: string;
}

/**
 * The blobs whose names begin with `prefix`, page by page as they are asked for.
 * @param o.uncommitted also those of which there are only blocks
 */
export async function* listBlobs(
  client: AzureClient,
  call: Call,
  { prefix, uncommitted = false }: { readonly prefix: string; readonly uncommitted?: boolean },
): AsyncGenerator<ListedBlob> {
  let continuationToken: string | undefined;
  do {
    const page = await client.ask(call, async (abortSignal) => {
      const pages = client.container
        .listBlobsFlat({ prefix, includeUncommitedBlobs: uncommitted, abortSignal })
        .byPage({ maxPageSize: PAGE, ...(continuationToken === undefined ? {} : { continuationToken }) });
      const step = await pages.next();
      return step.done === true ? undefined : pageOf(step.value);
    });
    if (page === undefined) return;
    yield* page.blobs;
    continuationToken = page.next;
  } while (continuationToken !== undefined && continuationToken !== "");
}

function pageOf({ segment, continuationToken }: ContainerListBlobFlatSegmentResponse): {
  readonly blobs: readonly ListedBlob[];
  readonly next: string | undefined;
} {
  return {
    blobs: segment.blobItems.map(({ name, properties }) => ({ name, ...statOf(properties) })),
    next: continuationToken,
  };
}

/** Where the order of UTF-16, by which Azurite sorts, can begin to differ from that of UTF-8. */
const LATE_UNIT = /[\ud800-\uffff]/;

/**
 * Puts a listing into the order of UTF-8 bytes. Azure promises "alphabetical order", and does not say of what. For names
 * up to U+D7FF it is the same anyway. Those that go beyond it, after the same beginning, come in one run in either order;
 * only such a run is held back and sorted.
 */
export async function* inByteOrder(stats: AsyncIterable<ObjectStat>): AsyncGenerator<ObjectStat> {
  let run: ObjectStat[] = [];
  let beginning: string | undefined;
  for await (const stat of stats) {
    const late = stat.key.search(LATE_UNIT);
    const its = late === -1 ? undefined : stat.key.slice(0, late);
    if (its !== beginning) {
      yield* sorted(run);
      run = [];
      beginning = its;
    }
    if (its === undefined) yield stat;
    else run.push(stat);
  }
  yield* sorted(run);
}

function sorted(run: ObjectStat[]): ObjectStat[] {
  return run.sort((a, b) => compareKeys(a.key, b.key));
}
