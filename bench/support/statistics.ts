/** The middle value, or the mean of the two in the middle. @throws RangeError when there are none */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[Math.ceil(sorted.length / 2) - 1];
  const high = sorted[Math.floor(sorted.length / 2)];
  if (low === undefined || high === undefined) throw new RangeError("there is no median of no values");
  return (low + high) / 2;
}

/**
 * The median of the ratios within each round. What disturbs a machine for a while disturbs both sides of a round, so
 * this moves less than the ratio of two medians.
 * @throws RangeError unless both have the same number of rounds, one at least
 */
export function medianRatio(values: readonly number[], floor: readonly number[]): number {
  if (values.length !== floor.length) {
    throw new RangeError(`${values.length} rounds cannot be paired with ${floor.length} of the floor`);
  }
  return median(values.map((value, round) => value / (floor[round] ?? Number.NaN)));
}
