/** Unix milliseconds with fractions: the one clock of all processes of a run. */
export function unixMs(): number {
  return performance.timeOrigin + performance.now();
}
