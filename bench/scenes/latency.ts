import type { LoadProcess } from "../load-process.ts";
import { figure, type Scene, type Sizes, type Stage, size } from "../scene.ts";
import { deliveryFigures } from "./burst.ts";

const CHANNEL = "bench";
/** More triggers than any server takes in the time given to find its limit. */
const MORE_THAN_ENOUGH_PER_SECOND = 3_000;
/** Connections for requests at an even pace: enough that none waits for a server that keeps up. */
const LANES = 64;
/** Timed subscribers join in so many groups, so that they are spread over the whole crowd. */
const GROUPS = 10;
/** The crowd that is not timed reads so often, which leaves the processor to the server and to those that are. */
const NAP_MS = 10;

export const latency: Scene = {
  name: "latency",
  title: (sizes) =>
    `latency: ${size(sizes, "subscribers")} subscribers of one channel, ${size(sizes, "timed")} of them timed, ${size(sizes, "bytes")} bytes, at half of each server's own saturation rate`,
  sizes: [
    { flag: "subscribers", default: 1_000, doc: "subscribers of the one channel" },
    { flag: "timed", default: 50, doc: "subscribers whose deliveries are timed" },
    { flag: "seconds", default: 10, doc: "time that is measured" },
    { flag: "warm-up", default: 3, doc: "seconds of full speed in which the saturation rate is found" },
    { flag: "bytes", default: 200, doc: "length of each event's data" },
    { flag: "in-flight", default: 16, doc: "requests under way while the saturation rate is sought" },
    {
      flag: "rate",
      default: 0,
      doc: "triggers a second for all servers alike instead of half the saturation",
    },
  ],
  connections: (sizes) => size(sizes, "subscribers") + LANES,
  columns: [
    { figure: "p99Ms", title: "p99 ms", digits: 2, spread: true },
    { figure: "p50Ms", title: "p50 ms", digits: 2 },
    { figure: "maxMs", title: "max ms", digits: 1 },
    { figure: "rate", title: "triggers/s", digits: 0 },
    { figure: "saturation", title: "saturated at", digits: 0 },
    { figure: "cpuShare", title: "CPU share", digits: 2 },
  ],
  compared: "p99Ms",
  budgets: [
    {
      what: "p99 delivery latency at half of the saturation rate",
      figure: "p99Ms",
      of: "earshot",
      bound: "at most",
      limit: 5,
      unit: " ms",
    },
  ],
  play: async (stage, sizes) => {
    const load = await stage.startLoad();
    const saturation = await saturationRate(load, sizes);
    const crowd = await gatherAround(load, stage, sizes);
    const rate = size(sizes, "rate") || saturation / 2;
    const pace = async (seconds: number) => {
      const count = Math.ceil(rate * seconds);
      await load.ask({ order: "prepare", channel: CHANNEL, count, bytes: size(sizes, "bytes") });
      await crowd.ask({ order: "received" });
      const before = stage.server.cpuSeconds();
      const report = await load.ask({ order: "pace", perSecond: rate, lanes: LANES });
      const cpuSeconds = stage.server.cpuSeconds() - before;
      await Bun.sleep(10 * NAP_MS);
      const { delivered, closed } = await crowd.ask({ order: "received" });
      return { cpuSeconds, report, delivered, closed };
    };
    await pace(1);
    const { cpuSeconds, report, delivered, closed } = await pace(size(sizes, "seconds"));
    const due = report.accepted * size(sizes, "subscribers");
    const all = { ...report, due, delivered: report.delivered + delivered, closed: report.closed + closed };
    return {
      ...deliveryFigures(all),
      p50Ms: report.p50Ms,
      p99Ms: report.p99Ms,
      maxMs: report.maxMs,
      rate,
      saturation,
      cpuSeconds,
      cpuShare: cpuSeconds / (report.wallMs / 1000),
    };
  },
};

/** Triggers a second at full speed, as the scene `fanout` drives a server, in a process that is left without subscribers. */
async function saturationRate(load: LoadProcess, sizes: Sizes): Promise<number> {
  await gather(load, size(sizes, "subscribers"), "counting");
  const triggersPerSecond = async (seconds: number): Promise<number> => {
    const count = Math.ceil(seconds * MORE_THAN_ENOUGH_PER_SECOND);
    await load.ask({ order: "prepare", channel: CHANNEL, count, bytes: size(sizes, "bytes") });
    const report = await load.ask({
      order: "publish",
      inFlight: size(sizes, "in-flight"),
      forMs: seconds * 1000,
    });
    return figure(deliveryFigures(report), "triggersPerSecond");
  };
  await triggersPerSecond(1);
  const rate = await triggersPerSecond(size(sizes, "warm-up"));
  await load.ask({ order: "disperse" });
  await Bun.sleep(1_000);
  return rate;
}

/** Spreads the timed subscribers over a crowd that another process holds. @returns that process */
async function gatherAround(load: LoadProcess, stage: Stage, sizes: Sizes): Promise<LoadProcess> {
  const crowd = await stage.startLoad("behind");
  const timed = Math.floor(size(sizes, "timed") / GROUPS);
  const others = Math.floor(size(sizes, "subscribers") / GROUPS) - timed;
  for (let group = 0; group < GROUPS; group++) {
    await gather(crowd, others, "counting");
    await gather(load, timed, "latency");
  }
  await crowd.ask({ order: "nap", ms: NAP_MS });
  return crowd;
}

async function gather(load: LoadProcess, count: number, inbox: "counting" | "latency"): Promise<void> {
  const report = await load.ask({
    order: "gather",
    count,
    channel: CHANNEL,
    ownChannels: false,
    concurrency: 64,
    inbox,
    samples: 0,
  });
  if (report.failed > 0) throw new Error(`${report.failed} subscribers failed: ${report.firstFailure}`);
}
