const FIRST_MS = 100; // ours
const LONGEST_MS = 5_000; // ours: how late a server that is back may be noticed

/** How long to wait before the attempt after this many failures: it doubles, and half of it is chance. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const fullMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 16));
  return fullMs / 2 + (random() * fullMs) / 2;
}
