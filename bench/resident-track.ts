import type { Figures } from "./scene.ts";
import { spread } from "./statistics.ts";
import { mib } from "./usage.ts";

const EVERY_MS = 1_000;
/** A collector's ups and downs are not growth: start and end are the medians of so many readings. */
const READINGS = 5;

/** Resident memory of a process over time. */
export class ResidentTrack {
  readonly #readKib: () => number;
  readonly #readings: number[] = [];
  readonly #clock: ReturnType<typeof setInterval>;

  constructor(readKib: () => number) {
    this.#readKib = readKib;
    this.#take();
    this.#clock = setInterval(() => this.#take(), EVERY_MS);
  }

  stop(): Promise<void> {
    clearInterval(this.#clock);
    return Promise.resolve();
  }

  end(): Figures {
    clearInterval(this.#clock);
    this.#take();
    return residentFigures(this.#readings);
  }

  #take(): void {
    this.#readings.push(mib(this.#readKib()));
  }
}

export function residentFigures(readingsMib: readonly number[]): Figures {
  return {
    startMib: spread(readingsMib.slice(0, READINGS)).median,
    endMib: spread(readingsMib.slice(-READINGS)).median,
    highestMib: spread(readingsMib).max,
  };
}
