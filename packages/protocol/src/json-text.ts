/**
 * How deeply a value may be nested that is written as JSON again. The runtime's writer takes a second and more for
 * 30,000 levels, which fit into one frame; receivers give up far earlier.
 */
export const MAX_NESTING = 512; // ours: the depth that PHP reads by default, deeper than the other libraries

/** The JSON text of a value that was parsed from JSON; undefined where it is nested too deeply. */
export function jsonText(value: unknown): string | undefined {
  return isDeeperThan(MAX_NESTING, value) ? undefined : JSON.stringify(value);
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  const inside: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return inside.some((item) => isDeeperThan(levels - 1, item));
}
