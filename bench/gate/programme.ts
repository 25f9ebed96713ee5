import { churningVisits, glances, staticVisits, type Visit } from "./visits.ts";

export type Fault =
  | "endpoint goes down"
  | "endpoint comes up"
  | "set is deleted"
  | "webhooks are doubled and swapped";

/** All times are milliseconds since the start of the run. */
export interface Programme {
  readonly publishing: "nothing" | "all" | "gate over Redis" | "gate in memory";
  readonly visits: readonly Visit[];
  /** What is measured. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Encoders tick until then, viewers stay somewhat longer. */
  readonly endMs: number;
  /** A tick that a viewer called for so late is not due any more. */
  readonly graceMs: number;
  /** After the measured time, viewers come and go one by one, and the set is watched. */
  readonly timesTheSet: boolean;
  readonly faults: readonly { readonly atMs: number; readonly fault: Fault }[];
}

export interface ProgrammeSizes {
  readonly seed: number;
  readonly channels: number;
  readonly watchedPercent: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly idleMs: number;
  readonly sweepMs: number;
  readonly outageMs: number;
  readonly glances: number;
}

/** Two of a swept mode's seconds go by before it is measured; nothing in it needs longer, since nobody comes or goes. */
const SWEEP_WARM_UP_MS = 3_000;
/** A delivery under way when a viewer leaves. */
const GRACE_MS = 250;
/** While webhooks do not arrive, a tick may come as late as a gate keeps it (its lag window). */
const FAULTY_GRACE_MS = 5_000;
const GLANCE_EVERY_MS = 50;
const GLANCE_MS = 1_500;
const FAULTY_GLANCES = 60;
const FAULTY_GLANCE_EVERY_MS = 100;
const FAULTY_GLANCE_MS = 8_000;
/** A channel is announced vacant 3 s after its last viewer left; what follows from that takes moments. */
const VACATED_MS = 4_500;
/** The set is deleted this long after the last viewer came or left, and restored before the next one does. */
const STILL_BEFORE_MS = 5_000;
const STILL_MS = 10_000;
/** Viewers outlast the ticks by this, so that the last ones arrive and the set comes to rest. */
const AFTERWARDS_MS = 6_000;

/** @param mode `idle`, `A` to `D`, `M`, or `E` with the share of channels that are watched, in percent */
export function programme(mode: string, sizes: ProgrammeSizes): Programme {
  const { seed, channels, warmUpMs, windowMs } = sizes;
  const watched = Math.round((channels * sizes.watchedPercent) / 100);
  const measured = (toMs: number) => ({ channels, watched, fromMs: 0, toMs: toMs + AFTERWARDS_MS });
  const usual = {
    publishing: "gate over Redis",
    fromMs: warmUpMs,
    toMs: warmUpMs + windowMs,
    endMs: warmUpMs + windowMs,
    graceMs: GRACE_MS,
    timesTheSet: false,
    faults: [],
  } satisfies Partial<Programme>;
  switch (mode) {
    case "idle": {
      const endMs = SWEEP_WARM_UP_MS + sizes.idleMs;
      const visits = staticVisits(seed, measured(endMs));
      return {
        ...usual,
        publishing: "nothing",
        visits,
        fromMs: SWEEP_WARM_UP_MS,
        toMs: endMs,
        endMs,
      };
    }
    case "A":
      return { ...usual, publishing: "all", visits: staticVisits(seed, measured(usual.endMs)) };
    case "B":
      return { ...usual, ...withGlances(sizes, usual.endMs, watched) };
    case "M":
      return { ...usual, publishing: "gate in memory", visits: churningVisits(seed, measured(usual.endMs)) };
    case "C":
      return { ...usual, visits: churningVisits(seed, measured(usual.endMs)) };
    case "D":
      return { ...usual, ...withFaults(sizes, watched) };
    default: {
      const endMs = SWEEP_WARM_UP_MS + sizes.sweepMs;
      const share = Math.round((channels * Number(mode.slice(1))) / 100);
      const visits = staticVisits(seed, { ...measured(endMs), watched: share });
      return { ...usual, visits, fromMs: SWEEP_WARM_UP_MS, toMs: endMs, endMs };
    }
  }
}

function withGlances({ seed, channels, glances: count }: ProgrammeSizes, fromMs: number, watched: number) {
  const endMs = fromMs + count * GLANCE_EVERY_MS + GLANCE_MS + VACATED_MS;
  const steady = staticVisits(seed, { channels, watched, fromMs: 0, toMs: endMs + AFTERWARDS_MS });
  const some = { channels, count, fromMs, everyMs: GLANCE_EVERY_MS, stayMs: GLANCE_MS };
  const visits = [...steady, ...glances(seed, some, channelsOf(steady))];
  return { visits, endMs, timesTheSet: true };
}

/**
 * Viewers come and go while the endpoint is down and until its retries have caught up; then they stay while the set is deleted; then
 * they come and go faster while webhooks come twice and in the wrong order.
 */
function withFaults({ seed, channels, warmUpMs, outageMs }: ProgrammeSizes, watched: number) {
  const downMs = warmUpMs;
  const upMs = downMs + outageMs;
  const stillMs = upMs + outageMs + VACATED_MS; // a retry comes at most as long after the end of an outage as it lasted
  const swapMs = stillMs + STILL_MS;
  const endMs = swapMs + FAULTY_GLANCES * FAULTY_GLANCE_EVERY_MS + FAULTY_GLANCE_MS;
  const churn = churningVisits(seed, { channels, watched, fromMs: 0, toMs: endMs - STILL_MS })
    .map((visit) => pausedAt(visit, stillMs, STILL_MS))
    .map((visit) => (visit.toMs === endMs ? { ...visit, toMs: endMs + AFTERWARDS_MS } : visit));
  const quick = {
    channels,
    count: FAULTY_GLANCES,
    fromMs: swapMs,
    everyMs: FAULTY_GLANCE_EVERY_MS,
    stayMs: FAULTY_GLANCE_MS,
  };
  return {
    visits: [...churn, ...glances(seed, quick, channelsOf(churn))],
    toMs: endMs,
    endMs,
    graceMs: FAULTY_GRACE_MS,
    faults: [
      { atMs: downMs, fault: "endpoint goes down" },
      { atMs: upMs, fault: "endpoint comes up" },
      { atMs: stillMs + STILL_BEFORE_MS, fault: "set is deleted" },
      { atMs: swapMs, fault: "webhooks are doubled and swapped" },
    ] as const,
  };
}

/** As if time had stood still: who was there stays longer, and who comes later comes later still. */
function pausedAt({ channel, fromMs, toMs }: Visit, atMs: number, lengthMs: number): Visit {
  const later = (ms: number) => (ms > atMs ? ms + lengthMs : ms);
  return { channel, fromMs: later(fromMs), toMs: later(toMs) };
}

function channelsOf(visits: readonly Visit[]): Set<number> {
  return new Set(visits.map(({ channel }) => channel));
}
