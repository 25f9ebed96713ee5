import { SeededRandom } from "../seeded-random.ts";

/** One progress message of one encoding. */
export interface Tick {
  readonly channel: number;
  /** Counts from 0 in its channel. */
  readonly seq: number;
  /** Since the start of the run. */
  readonly atMs: number;
}

export interface TickPlan {
  readonly seed: number;
  readonly channels: number;
  readonly durationMs: number;
}

/** Each encoding reports once a second. */
const PERIOD_MS = 1_000;
/** An encoder is not a clock. */
const JITTER_MS = 100;

/** All ticks of a run in order of time: the same for the same plan, whichever mode it is played in. */
export function tickSchedule({ seed, channels, durationMs }: TickPlan): Tick[] {
  const random = new SeededRandom(seed);
  const ticks: Tick[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const phaseMs = random.between(0, PERIOD_MS - JITTER_MS);
    for (let seq = 0; seq * PERIOD_MS < durationMs; seq++) {
      ticks.push({ channel, seq, atMs: phaseMs + seq * PERIOD_MS + random.between(0, JITTER_MS) });
    }
  }
  return ticks.sort((a, b) => a.atMs - b.atMs);
}

export function channelName(channel: number): string {
  return `private-cloud-${channel}`;
}

/** The number of a channel of ours, undefined for any other name. */
export function channelNumber(name: string): number | undefined {
  const digits = /^private-cloud-(\d{1,6})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
