/** Where the bytes of a body come from, in order. It is asked for one chunk at a time. */
export interface Source {
  /** @throws CacheFault when it cannot go on though the store could */
  next(): Promise<IteratorResult<Uint8Array, undefined>>;
  /** Gives back all that it holds. Not while `next` waits. */
  return(): Promise<void>;
  /** Nobody wants more: a `next` that waits ends, however. */
  interrupt(): void;
}

/** The cache cannot give bytes that it should have: they are damaged, or the disk fails. The store has them all the same. */
export class CacheFault extends Error {
  override readonly name = "CacheFault";
}

/** @param interrupt what ends a `next` of the body that waits */
export function sourceOf(body: AsyncIterable<Uint8Array>, interrupt: () => void): Source {
  const chunks = body[Symbol.asyncIterator]();
  return {
    async next() {
      const step = await chunks.next();
      return step.done === true ? { done: true, value: undefined } : step;
    },
    async return() {
      await chunks.return?.();
    },
    interrupt,
  };
}
