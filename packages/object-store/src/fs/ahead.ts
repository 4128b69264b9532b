/**
 * Does the work for each item, for up to `limit` of them at once, and gives the results in the order of the items. It
 * gets no further ahead of its consumer than that, and when it is left early, nothing is under way any more.
 */
export async function* ahead<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const begun: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // It is awaited in its turn; until then its failure must not count as unhandled.
      result.catch(nothing);
      begun.push(result);
      const oldest = begun.length < limit ? undefined : begun.shift();
      if (oldest !== undefined) yield await oldest;
    }
    for (let oldest = begun.shift(); oldest !== undefined; oldest = begun.shift()) yield await oldest;
  } finally {
    await Promise.allSettled(begun);
  }
}

function nothing(): void {}
