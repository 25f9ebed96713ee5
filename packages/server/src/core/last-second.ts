/** Counts what happened within the last second, in the same time however much that is. */
export class LastSecond {
  readonly #timesMs: number[] = [];
  /** Where the times begin that are not older than a second. */
  #start = 0;

  countAt(nowMs: number): number {
    const times = this.#timesMs;
    while (this.#start < times.length && nowMs - (times[this.#start] ?? 0) >= 1_000) this.#start++;
    if (this.#start * 2 > times.length) {
      times.splice(0, this.#start);
      this.#start = 0;
    }
    return times.length - this.#start;
  }

  add(nowMs: number): void {
    this.#timesMs.push(nowMs);
  }
}
