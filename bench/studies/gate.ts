import { playProgramme } from "../gate/play.ts";
import { programme } from "../gate/programme.ts";
import { type Figures, figure, size } from "../scene.ts";
import type { FiguresOf, Study } from "../study.ts";

const SWEPT = [0, 1, 20, 50, 100];
const MAX_AUDIENCE_CPU = 600; // ms a second: beyond 60 % of a core the times tell of the viewers
const MAX_TICK_DELAY_MS = 1_000;
/** What the idle mode costs is taken off these. */
const NET_OF_IDLE = ["serverCpu", "redisCpu", "receiverCpu", "encodersCpu"];

export const gate: Study = {
  name: "gate",
  title: (sizes) =>
    `gate: ${size(sizes, "channels")} channels, ${size(sizes, "channels")} ticks a second from 2 worker processes, ${size(sizes, "watched")} % of the channels watched`,
  modes: [
    {
      name: "idle",
      doc: "viewers and ticks, but nothing is published; its CPU time is taken off that of the others",
    },
    { name: "A", doc: "no gate" },
    { name: "B", doc: "gate, viewers stay" },
    { name: "C", doc: "gate, viewers stay 20 to 60 s, one in ten reloads" },
    {
      name: "D",
      doc: "as C, while the endpoint is down, the set is deleted, webhooks are doubled and swapped",
    },
    { name: "M", doc: "as C, but each worker's gate is in its memory and fed by the occupancy stream" },
    ...SWEPT.map((percent) => ({
      name: `E${percent}`,
      doc: `as B with ${percent} % of the channels watched`,
    })),
  ],
  sizes: [
    { flag: "channels", default: 400, doc: "channels, each with one tick a second" },
    { flag: "watched", default: 5, doc: "percent of them that are watched" },
    { flag: "warm-up", default: 10, doc: "seconds before A to D are measured" },
    { flag: "window", default: 30, doc: "seconds in which A to C are measured" },
    { flag: "idle", default: 12, doc: "seconds in which idle is measured" },
    { flag: "sweep", default: 8, doc: "seconds in which each of E is measured" },
    { flag: "outage", default: 15, doc: "seconds for which D's endpoint is down" },
    { flag: "glances", default: 100, doc: "viewers that come and go after B's window, to time the gate" },
    { flag: "seed", default: 1, doc: "decides about ticks and viewers" },
  ],
  quick: { "warm-up": 4, window: 8, idle: 5, sweep: 3, outage: 4, glances: 30 },
  runs: 1,
  connections: (sizes) => 2 * size(sizes, "channels"),
  remarks: (sizes) => [
    `warm-up ${size(sizes, "warm-up")} s and window ${size(sizes, "window")} s instead of 10 s and 120 s, ${size(sizes, "sweep")} s for each of E; --runs 3 repeats it`,
    "5 % of E's sweep is mode B; D is judged, not measured; webhooks go in batches as they come, the server's default",
  ],
  columns: [
    { figure: "publishesPerSecond", title: "publishes/s", digits: 1 },
    { figure: "fewer", title: "fewer than A", digits: 1, spread: true },
    { figure: "usefulRatio", title: "useful", digits: 3 },
    { figure: "afterLeaving", title: "after leaving", digits: 0 },
    { figure: "missed", title: "missed", digits: 0 },
    { figure: "due", title: "of", digits: 0 },
    { figure: "caughtUp", title: "caught up", digits: 0 },
    { figure: "failedOpen", title: "failed open", digits: 0 },
    { figure: "encodersCpu", title: "CPU ms/s workers", digits: 1 },
    { figure: "serverCpu", title: "server", digits: 1 },
    { figure: "redisCpu", title: "Redis", digits: 1 },
    { figure: "receiverCpu", title: "receiver", digits: 1 },
    { figure: "kilobytesPerSecond", title: "loopback kB/s", digits: 0 },
    { figure: "addedP50Ms", title: "lag in p50", digits: 0 },
    { figure: "addedP95Ms", title: "p95 ms", digits: 0 },
    { figure: "removedP50Ms", title: "out p50", digits: 0 },
    { figure: "removedP95Ms", title: "p95 ms", digits: 0 },
    { figure: "repairedMs", title: "set repaired ms", digits: 0 },
  ],
  budgets: [
    wish("publishes, A against B", (of) => over(of, "A", "B", "publishesPerSecond"), "at least", 18, "x"),
    wish("useful publishes in B", (of) => one(of, "B", "usefulRatio"), "at least", 0.99, ""),
    wish("server CPU, A against B", (of) => over(of, "A", "B", "serverCpu"), "at least", 8, "x"),
    wish("workers' CPU, A against B", (of) => over(of, "A", "B", "encodersCpu"), "at least", 4, "x"),
    wish(
      "gate lag p95, subscription_succeeded to SADD",
      (of) => one(of, "B", "addedP95Ms"),
      "at most",
      150,
      " ms",
    ),
    wish(
      "gate lag p95, vacated delay over to SREM",
      (of) => one(of, "B", "removedP95Ms"),
      "at most",
      150,
      " ms",
    ),
    wish("publishes, A against C", (of) => over(of, "A", "C", "publishesPerSecond"), "at least", 12, "x"),
    wish("publishes, A against M", (of) => over(of, "A", "M", "publishesPerSecond"), "at least", 12, "x"),
    wish("workers' CPU, A against M", (of) => over(of, "A", "M", "encodersCpu"), "at least", 4, "x"),
    wish(
      "workers' CPU with all watched, E100 against A",
      (of) => over(of, "E100", "A", "encodersCpu"),
      "at most",
      1.25,
      "x",
    ),
    wish("deleted set right again", (of) => one(of, "D", "repairedMs"), "at most", 5_000, " ms"),
    {
      ...wish("channels wrong in the set after D", (of) => one(of, "D", "astray"), "at most", 0, ""),
      byWorst: true,
    },
    { ...wish("ticks missed in all modes", (of) => sum(of, "missed"), "at most", 0, ""), byWorst: true },
    {
      ...wish("ticks out of order in all modes", (of) => sum(of, "disordered"), "at most", 0, ""),
      byWorst: true,
    },
  ],
  play: (mode, sizes, teardown) => {
    const seconds = (flag: string) => 1_000 * size(sizes, flag);
    const [seed, channels] = [size(sizes, "seed"), size(sizes, "channels")];
    const of = {
      seed,
      channels,
      watchedPercent: size(sizes, "watched"),
      warmUpMs: seconds("warm-up"),
      windowMs: seconds("window"),
      idleMs: seconds("idle"),
      sweepMs: seconds("sweep"),
      outageMs: seconds("outage"),
      glances: size(sizes, "glances"),
    };
    return playProgramme(mode, { seed, channels, programme: programme(mode, of) }, teardown);
  },
  derive,
  flaws: (_mode, figures) => [
    ...(figure(figures, "audienceCpu") > MAX_AUDIENCE_CPU
      ? [`the viewers took ${(figure(figures, "audienceCpu") / 10).toFixed(0)} % of a core, more than 60 %`]
      : []),
    ...(figure(figures, "latestMs") > MAX_TICK_DELAY_MS
      ? [`a tick came ${figure(figures, "latestMs").toFixed(0)} ms late`]
      : []),
    ...(figure(figures, "webhooksLost") > 0 ? ["the receiver lost webhooks that it had answered"] : []),
    ...(figure(figures, "failedTicks") > 0 ? [`${figure(figures, "failedTicks")} ticks failed`] : []),
    ...(figure(figures, "failedViewers") > 0 ? [`${figure(figures, "failedViewers")} viewers failed`] : []),
  ],
};

/** CPU times without what the idle mode takes, and how much fewer the publishes are for as many ticks. */
function derive(of: FiguresOf): FiguresOf {
  const idle = of.get("idle") ?? {};
  const ungated = of.get("A");
  return new Map(
    [...of].map(([mode, figures]): [string, Figures] => {
      if (mode === "idle") return [mode, figures];
      const net = NET_OF_IDLE.map((name) => [name, figure(figures, name) - (idle[name] ?? 0)]);
      const own = figure(figures, "publishesPerSecond");
      const fewer = ungated && own > 0 ? { fewer: figure(ungated, "publishesPerSecond") / own } : {};
      return [mode, { ...figures, ...Object.fromEntries(net), ...fewer }];
    }),
  );
}

function wish(
  what: string,
  measure: (of: FiguresOf) => number | undefined,
  bound: "at most" | "at least",
  limit: number,
  unit: string,
) {
  return { what, measure, bound, limit, unit };
}

function one(of: FiguresOf, mode: string, name: string): number | undefined {
  const figures = of.get(mode);
  return figures && figure(figures, name);
}

function over(of: FiguresOf, mode: string, against: string, name: string): number | undefined {
  const [above, below] = [one(of, mode, name), one(of, against, name)];
  return above === undefined || below === undefined ? undefined : above / below;
}

function sum(of: FiguresOf, name: string): number {
  return [...of.values()].reduce((total, figures) => total + figure(figures, name), 0);
}
