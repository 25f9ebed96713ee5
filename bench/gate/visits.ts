import { SeededRandom } from "../seeded-random.ts";

/** One page that is open on one channel: connected and subscribed at `fromMs`, gone at `toMs`; both since the start of the run. */
export interface Visit {
  readonly channel: number;
  readonly fromMs: number;
  readonly toMs: number;
}

const MIN_STAY_MS = 20_000;
const MAX_STAY_MS = 60_000;
const RELOAD_SHARE = 0.1;
const MIN_RELOAD_MS = 100;
const MAX_RELOAD_MS = 1_000;
const TWO_VIEWERS_SHARE = 0.5;

/** `watched` channels, each with one or two viewers from `fromMs` to `toMs`. */
export function staticVisits(
  seed: number,
  of: { channels: number; watched: number; fromMs: number; toMs: number },
): Visit[] {
  const random = new SeededRandom(seed);
  const { fromMs, toMs } = of;
  return random
    .permutation(of.channels)
    .slice(0, of.watched)
    .flatMap((channel) => {
      const visit = { channel, fromMs, toMs };
      return random.fraction() < TWO_VIEWERS_SHARE ? [visit, visit] : [visit];
    });
}

/**
 * `watched` channels at any time, whose viewers stay 20 to 60 s: with 20 of them one channel changes every 2 s. When a stay ends, another
 * channel is looked at at once; but one in ten is a reload, which comes back to the same channel within a second.
 */
export function churningVisits(
  seed: number,
  of: { channels: number; watched: number; fromMs: number; toMs: number },
): Visit[] {
  const random = new SeededRandom(seed);
  const idle = random.permutation(of.channels);
  const visits: Visit[] = [];
  for (let place = 0; place < of.watched; place++) {
    let channel = idle.shift();
    // A stay that is under way when the run starts is anywhere in its length.
    let lengthMs = random.between(MIN_STAY_MS, MAX_STAY_MS) * random.fraction();
    let fromMs = of.fromMs;
    while (channel !== undefined && fromMs < of.toMs) {
      const toMs = Math.min(of.toMs, fromMs + lengthMs);
      visits.push({ channel, fromMs, toMs });
      if (random.fraction() < TWO_VIEWERS_SHARE) visits.push({ channel, fromMs, toMs });
      lengthMs = random.between(MIN_STAY_MS, MAX_STAY_MS);
      if (random.fraction() < RELOAD_SHARE) {
        fromMs = toMs + random.between(MIN_RELOAD_MS, MAX_RELOAD_MS);
      } else {
        idle.push(channel);
        channel = idle.shift();
        fromMs = toMs;
      }
    }
  }
  return visits.sort((a, b) => a.fromMs - b.fromMs);
}

/** One viewer after another, each on a channel that nobody watches, at an even pace and for `stayMs`: to time the gate's notice of it. */
export function glances(
  seed: number,
  of: { channels: number; count: number; fromMs: number; everyMs: number; stayMs: number },
  watched: ReadonlySet<number>,
): Visit[] {
  return new SeededRandom(seed)
    .permutation(of.channels)
    .filter((channel) => !watched.has(channel))
    .slice(0, of.count)
    .map((channel, index) => {
      const fromMs = of.fromMs + index * of.everyMs;
      return { channel, fromMs, toMs: fromMs + of.stayMs };
    });
}
