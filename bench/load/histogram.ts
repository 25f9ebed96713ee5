/** Durations in equal bins: millions of values in a fixed space. What lies beyond the last bin keeps its maximum only. */
export class Histogram {
  readonly #bins: Uint32Array;
  readonly #binMs: number;
  #count = 0;
  #maxMs = 0;

  constructor(binMs: number, spanMs: number) {
    this.#binMs = binMs;
    this.#bins = new Uint32Array(Math.ceil(spanMs / binMs) + 1);
  }

  add(ms: number): void {
    const bin = Math.min(Math.floor(ms / this.#binMs), this.#bins.length - 1);
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** Upper edge of the bin that holds the value below which `share` (0 to 1) of all values lie, in ms. */
  quantileMs(share: number): number {
    const rank = Math.ceil(share * this.#count);
    let seen = 0;
    for (const [bin, count] of this.#bins.entries()) {
      seen += count;
      if (seen >= rank && seen > 0) {
        return bin === this.#bins.length - 1 ? this.#maxMs : Math.min((bin + 1) * this.#binMs, this.#maxMs);
      }
    }
    return 0;
  }
}
