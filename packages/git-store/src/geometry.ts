/** What counts of a pack: how much there is to merge. */
export interface Weighed {
  readonly objects: number;
}

/** Each pack has so many times the objects of all newer ones together. */
const FACTOR = 2;

/**
 * Which of the newest packs to merge so that those that remain are a geometric series: then there are at most as many as the
 * number of objects has doublings, and an object is merged no more often than that.
 * @param packs the oldest first
 * @returns how many of the newest ones; 0 when nothing is to be done
 */
export function runToMerge(packs: readonly Weighed[]): number {
  let newer = 0;
  let run = 0;
  for (const [index, { objects }] of packs.toReversed().entries()) {
    // A pack that is too light for what is newer goes along, and all between.
    if (index > 0 && objects < FACTOR * newer) run = index + 1;
    newer += objects;
  }
  return run;
}
