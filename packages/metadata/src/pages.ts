const PAGE = 500;

/**
 * Reads a long answer page by page, so that neither memory nor one query grows with it.
 * @param read gives up to `limit` rows that follow `last`, the row read before (undefined at the beginning)
 */
export async function* pages<Row>(
  read: (last: Row | undefined, limit: number) => Promise<readonly Row[]>,
): AsyncGenerator<Row, void, undefined> {
  let last: Row | undefined;
  for (;;) {
    const page = await read(last, PAGE);
    yield* page;
    if (page.length < PAGE) return;
    last = page.at(-1);
  }
}
