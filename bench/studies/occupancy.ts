import { APP } from "../contenders/contender.ts";
import { addWebhook, earshot } from "../contenders/earshot.ts";
import { Meter } from "../meter.ts";
import type {
  CrowdOrder,
  CrowdReplies,
  LogReport,
  ReceiverOrder,
  ReceiverReplies,
} from "../occupancy/order.ts";
import { type Population, vacantMs } from "../occupancy/turnover.ts";
import { ResidentTrack } from "../resident-track.ts";
import { type Figures, figure, type Sizes, size } from "../scene.ts";
import { ServerProcess } from "../server-process.ts";
import type { FiguresOf, Study } from "../study.ts";
import type { Teardown } from "../teardown.ts";
import { WorkerProcess } from "../worker-process.ts";

type CrowdProcess = WorkerProcess<CrowdOrder, CrowdReplies>;
type ReceiverProcess = WorkerProcess<ReceiverOrder, ReceiverReplies>;

/** Nothing is announced vacant before the server has settled (occupancy.settleMs), and an endpoint is known after a second. */
const SETTLE_MS = 12_000;
/** A channel must be announced vacant (occupancy.vacatedDelayMs) well before somebody comes to it again: otherwise nothing is to be told. */
const MIN_VACANT_MS = 6_000;
/** After so long without a webhook the missing ones are taken for lost. */
const QUIET_MS = 15_000;
const LOOK_MS = 100;
const MAX_GENERATOR_PERCENT = 60; // of one core: beyond that the times tell of the generator
const MAX_TURN_DELAY_MS = 1_000;

export const occupancy: Study = {
  name: "occupancy",
  title: (sizes) =>
    `occupancy: ${size(sizes, "channels").toLocaleString("en")} channels, ${size(sizes, "rate").toLocaleString("en")} transitions a second for ${size(sizes, "seconds")} s, webhooks to two endpoints against none`,
  modes: [
    { name: "off", doc: "no webhook endpoint" },
    { name: "on", doc: "two webhook endpoints, each told of every channel that becomes occupied or vacant" },
  ],
  sizes: [
    { flag: "channels", default: 100_000, doc: "channels" },
    { flag: "vacant", default: 5_000, doc: "of them vacant at any time" },
    { flag: "connections", default: 100, doc: "connections that share the channels" },
    { flag: "rate", default: 1_000, doc: "transitions a second, half of them subscribes" },
    { flag: "seconds", default: 60, doc: "time that is measured" },
    { flag: "warm-up", default: 15, doc: "seconds of the same before" },
  ],
  quick: { channels: 20_000, seconds: 10, "warm-up": 5 },
  runs: 1,
  connections: (sizes) => size(sizes, "connections"),
  remarks: (sizes) => [
    `${size(sizes, "channels") - size(sizes, "vacant")} channels are occupied at any time; each transition is of the channel that waited longest, vacant for ${vacantMs(populationOf(sizes), size(sizes, "rate")) / 1_000} s in between`,
    "subscribe latency: from the client's frame to its subscription_succeeded, private channels, signed",
  ],
  columns: [
    { figure: "p50Ms", title: "p50 ms", digits: 2, spread: true },
    { figure: "p99Ms", title: "p99 ms", digits: 2, spread: true },
    { figure: "maxMs", title: "max ms", digits: 1 },
    { figure: "serverPercent", title: "server CPU %", digits: 1 },
    { figure: "crowdPercent", title: "clients CPU %", digits: 1 },
    { figure: "receiverPercent", title: "receivers CPU %", digits: 1 },
    { figure: "delivered", title: "events", digits: 0 },
    { figure: "missing", title: "missing", digits: 0 },
    { figure: "repeated", title: "repeated", digits: 0 },
    { figure: "lagP50Ms", title: "lag p50 ms", digits: 0 },
    { figure: "lagP99Ms", title: "p99", digits: 0 },
    { figure: "startMib", title: "RSS MiB start", digits: 0 },
    { figure: "endMib", title: "end", digits: 0 },
    { figure: "highestMib", title: "most", digits: 0 },
  ],
  budgets: [
    {
      what: "p50 of subscribe latency, webhooks on against off",
      measure: (of) => ratio(of, "p50Ms"),
      bound: "at most",
      limit: 1.2,
      unit: "x",
    },
    {
      what: "p99 of subscribe latency, webhooks on against off",
      measure: (of) => ratio(of, "p99Ms"),
      bound: "at most",
      limit: 1.2,
      unit: "x",
    },
    {
      what: "events that did not reach both endpoints, or came wrong",
      measure: (of) => {
        const on = of.get("on");
        return on && figure(on, "missing") + figure(on, "wrong");
      },
      bound: "at most",
      limit: 0,
      unit: "",
      byWorst: true,
    },
    {
      what: "resident memory with webhooks, end of the time against its start",
      measure: (of) => {
        const on = of.get("on");
        return on && figure(on, "endMib") / figure(on, "startMib");
      },
      bound: "at most",
      limit: 1.1, // ours: what a collector's breathing takes
      unit: "x",
    },
  ],
  play,
  derive: (of) => of,
  flaws: (_mode, figures) => [
    ...(figure(figures, "crowdPercent") > MAX_GENERATOR_PERCENT
      ? [
          `the clients took ${figure(figures, "crowdPercent").toFixed(0)} % of a core, more than ${MAX_GENERATOR_PERCENT} %`,
        ]
      : []),
    ...(figure(figures, "latestMs") > MAX_TURN_DELAY_MS
      ? [`a transition came ${figure(figures, "latestMs").toFixed(0)} ms late`]
      : []),
    ...(figure(figures, "unanswered") > 0
      ? [`${figure(figures, "unanswered")} subscribes were not answered`]
      : []),
  ],
};

function populationOf(sizes: Sizes): Population {
  const channels = size(sizes, "channels");
  return { channels, occupied: channels - size(sizes, "vacant") };
}

function ratio(of: FiguresOf, name: string): number | undefined {
  const [on, off] = [of.get("on"), of.get("off")];
  return on && off && figure(on, name) / figure(off, name);
}

async function play(mode: string, sizes: Sizes, teardown: Teardown): Promise<Figures> {
  const population = populationOf(sizes);
  const restMs = vacantMs(population, size(sizes, "rate"));
  if (restMs < MIN_VACANT_MS)
    throw new Error(
      `a channel would be vacant for ${restMs} ms, at least ${MIN_VACANT_MS} are needed: raise --vacant or lower --rate`,
    );
  const server = await ServerProcess.start(earshot);
  teardown.add(() => server.stop());
  const startedMs = performance.now();
  // In earnest receivers run elsewhere: here they must not stand in the way of those that are timed.
  const receiver: ReceiverProcess = new WorkerProcess("occupancy/receiver.ts", "behind");
  teardown.add(() => receiver.stop());
  const crowd: CrowdProcess = new WorkerProcess("occupancy/crowd.ts");
  teardown.add(() => crowd.stop());

  const { urls } = await receiver.ask({ order: "listen", key: APP.key, secret: APP.secret });
  const endpoints = mode === "on" ? urls : [];
  for (const url of endpoints) await addWebhook(server.dataDir, url);
  const { target } = server;
  const connections = size(sizes, "connections");
  const gathered = await crowd.ask({ order: "gather", target, population, connections });
  if (gathered.subscribed !== population.occupied)
    throw new Error(`only ${gathered.subscribed} channels could be subscribed to: ${gathered.firstFailure}`);
  if (mode === "on") await received(receiver, population.occupied);
  await Bun.sleep(Math.max(0, startedMs + SETTLE_MS - performance.now()));

  const perSecond = size(sizes, "rate");
  await crowd.ask({ order: "turn", perSecond, seconds: size(sizes, "warm-up") });
  await receiver.ask({ order: "begin timing" });
  const meter = new Meter({
    server: () => server.cpuSeconds(),
    crowd: () => crowd.cpuSeconds(),
    receiver: () => receiver.cpuSeconds(),
  });
  const track = new ResidentTrack(() => server.residentKib());
  teardown.add(() => track.stop());
  const report = await crowd.ask({ order: "turn", perSecond, seconds: size(sizes, "seconds") });
  const { seconds, cpuSeconds, foreignPercent } = meter.read();
  const resident = track.end();
  const subscribed = population.occupied + Math.ceil(report.turned / 2);
  const left = Math.floor(report.turned / 2);
  if (mode === "on") await received(receiver, subscribed + left);
  const log =
    mode === "on" ? await receiver.ask({ order: "report", occupied: subscribed, vacated: left }) : undefined;
  const percent = (name: string): number => (100 * (cpuSeconds[name] ?? 0)) / seconds;
  const { p50Ms, p99Ms, maxMs, unanswered, latestMs } = report;
  return {
    ...{ p50Ms, p99Ms, maxMs, unanswered, latestMs },
    serverPercent: percent("server"),
    crowdPercent: percent("crowd"),
    receiverPercent: percent("receiver"),
    foreignPercent,
    ...resident,
    ...(log === undefined ? {} : logFigures(log)),
  };
}

function logFigures(log: LogReport): Figures {
  const { delivered, missing, repeated, wrong, requests, badSignatures } = log;
  const lags = { lagP50Ms: log.p50LagMs, lagP99Ms: log.p99LagMs };
  return { delivered, missing, repeated, wrong, requests, badSignatures, ...lags };
}

/** Waits until both endpoints have so many events, or until none has come for a while. */
async function received(receiver: ReceiverProcess, events: number): Promise<void> {
  let before = -1;
  let changedMs = performance.now();
  while (performance.now() - changedMs < QUIET_MS) {
    const now = await receiver.ask({ order: "count" });
    if (now >= events) return;
    if (now !== before) changedMs = performance.now();
    before = now;
    await Bun.sleep(LOOK_MS);
  }
}
