/** The few numbers that a row of runs is told by. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)];
  const high = sorted[Math.ceil(middle)];
  const min = sorted[0];
  const max = sorted.at(-1);
  if (low === undefined || high === undefined || min === undefined || max === undefined) {
    throw new RangeError("a spread needs at least one value");
  }
  return { median: (low + high) / 2, min, max };
}

/** Run by run, so that what slowed the machine for one run weighs on both sides of its ratio. */
export function ratios(values: readonly number[], against: readonly number[]): number[] {
  if (values.length !== against.length) {
    throw new RangeError(`${values.length} runs cannot be compared with ${against.length}`);
  }
  return values.map((value, run) => value / (against[run] ?? Number.NaN));
}

/** The value below which `share` (0 to 1) of all values lie; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
