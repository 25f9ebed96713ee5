const LOOK_EVERY_MS = 5;

/** Waits for a condition, and says which one it was when it does not come. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await Bun.sleep(LOOK_EVERY_MS);
  }
}
