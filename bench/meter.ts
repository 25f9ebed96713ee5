import { processorTime } from "./foreign-load.ts";
import { cpuSeconds } from "./usage.ts";

/** What a window of time cost. */
export interface MeterReading {
  readonly seconds: number;
  /** CPU seconds by the name of the process. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  /** What other programs took, in percent of all cores of this machine. */
  readonly foreignPercent: number;
}

/** Reads the CPU time of the bench's processes at the start and at the end of a window. */
export class Meter {
  readonly #processes: Readonly<Record<string, () => number>>;
  readonly #begun: { atMs: number; machine: ReturnType<typeof processorTime>; own: Record<string, number> };

  /** @param processes CPU seconds so far of each, the bench's own process not among them */
  constructor(processes: Readonly<Record<string, () => number>>) {
    this.#processes = { ...processes, bench: () => cpuSeconds(process.pid) };
    this.#begun = { atMs: performance.now(), machine: processorTime(), own: this.#read() };
  }

  read(): MeterReading {
    const { atMs, machine, own } = this.#begun;
    const now = processorTime();
    const seconds = (performance.now() - atMs) / 1_000;
    const spent = Object.fromEntries(
      Object.entries(this.#read()).map(([name, total]) => [name, total - (own[name] ?? 0)]),
    );
    const ownSeconds = Object.values(spent).reduce((sum, value) => sum + value, 0);
    const busyShare = (now.busy - machine.busy) / (now.total - machine.total);
    const ownShare = ownSeconds / (seconds * navigator.hardwareConcurrency);
    return { seconds, cpuSeconds: spent, foreignPercent: Math.max(0, 100 * (busyShare - ownShare)) };
  }

  #read(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#processes).map(([name, total]) => [name, total()]));
  }
}
