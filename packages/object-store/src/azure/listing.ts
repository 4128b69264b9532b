import type { BlobItem, ContainerListBlobsOptions } from "@azure/storage-blob";
import { compareKeys } from "../compare.ts";
import type { ObjectStat } from "../port.ts";
import type { AzureClient, Call } from "./client.ts";
import { statOf, type BlobStat } from "./look.ts";

/** The most that the service lists in one answer. */
const PAGE = 5000;

type Listed = Pick<BlobStat, "size" | "etag" | "modifiedAt">;

/** The blobs whose names begin with `prefix`, asked for page by page. */
export async function* listBlobs(
  client: AzureClient,
  call: Call,
  prefix: string,
): AsyncGenerator<Listed & { readonly name: string }> {
  for await (const page of pages(client, call, { prefix }, ({ name, properties }) => ({
    name,
    ...statOf(properties),
  }))) {
    yield* page;
  }
}

/**
 * The same, and those of which there are only blocks: of these, Azure tells nothing but the name. Azurite tells the rest,
 * too, so that they look like any other there.
 */
export async function* listAllBlobs(
  client: AzureClient,
  call: Call,
  prefix: string,
): AsyncGenerator<{ readonly name: string; readonly modifiedAt: Date | undefined }> {
  const options = { prefix, includeUncommitedBlobs: true };
  for await (const page of pages(client, call, options, ({ name, properties }) => {
    return { name, modifiedAt: properties.lastModified };
  })) {
    yield* page;
  }
}

async function* pages<T>(
  client: AzureClient,
  call: Call,
  options: ContainerListBlobsOptions,
  map: (item: BlobItem) => T,
): AsyncGenerator<T[]> {
  let continuationToken: string | undefined;
  do {
    const page = await client.ask(call, async (abortSignal) => {
      const step = await client.container
        .listBlobsFlat({ ...options, abortSignal })
        .byPage({ maxPageSize: PAGE, ...(continuationToken === undefined ? {} : { continuationToken }) })
        .next();
      if (step.done === true) return undefined;
      const { segment, continuationToken: next } = step.value;
      return { items: segment.blobItems.map(map), next };
    });
    if (page === undefined) return;
    yield page.items;
    continuationToken = page.next;
  } while (continuationToken !== undefined && continuationToken !== "");
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
