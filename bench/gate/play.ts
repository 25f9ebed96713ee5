import { addWebhook, earshotWith } from "../contenders/earshot.ts";
import { loopbackBytes } from "../loopback.ts";
import { Meter } from "../meter.ts";
import { RedisProcess } from "../redis-process.ts";
import type { Figures } from "../scene.ts";
import { METRICS_TOKEN, publishedSoFar } from "../server-metrics.ts";
import { ServerProcess } from "../server-process.ts";
import { quantile } from "../statistics.ts";
import type { Teardown } from "../teardown.ts";
import { unixMs } from "../unix-clock.ts";
import { WorkerProcess } from "../worker-process.ts";
import { gateLags } from "./gate-lag.ts";
import { judge, type SentTick, type Session, sentAfterLeaving, usefulPublishes } from "./judgement.ts";
import { OccupiedSet } from "./occupied-set.ts";
import type {
  AudienceOrder,
  AudienceReplies,
  EncoderOrder,
  EncoderReplies,
  GateCounters,
  Publishing,
  ReceiverOrder,
  ReceiverReplies,
} from "./order.ts";
import type { Fault, Programme } from "./programme.ts";
import { SetWatch } from "./set-watch.ts";
import { channelNumber } from "./tick-schedule.ts";

type Encoder = WorkerProcess<EncoderOrder, EncoderReplies>;
type Audience = WorkerProcess<AudienceOrder, AudienceReplies>;
type Receiver = WorkerProcess<ReceiverOrder, ReceiverReplies>;

const ENCODERS = 2;
const SET_KEY = "pusher:channels"; // the gate's default
const VACATED_DELAY_MS = 3_000; // occupancy.vacatedDelayMs, the server's default
/** What is sent within the delay, and while the webhook is on its way. */
const AFTER_LEAVING_MS = VACATED_DELAY_MS + 500;
/** The running server has taken up a new endpoint. */
const ENDPOINT_MS = 1_200;
const LEAD_MS = 300;
/** The last ticks arrive. */
const DELIVERY_MS = 500;
/** The set is at rest so long after the last viewer came or left. */
const REST_MS = 4_500;
const REPAIR_TIMEOUT_MS = 4_500;
const LOOK_MS = 20;

/** The processes of one run. */
interface Cast {
  readonly server: ServerProcess;
  readonly redis: RedisProcess;
  readonly receiver: Receiver;
  readonly encoders: readonly Encoder[];
  readonly audience: Audience;
  readonly set: OccupiedSet;
}

/** What came of a programme's faults. */
interface Repairs {
  /** From the deletion of the set until it was right again. */
  repairedMs?: number;
}

export async function playProgramme(
  mode: string,
  plan: { readonly seed: number; readonly channels: number; readonly programme: Programme },
  teardown: Teardown,
): Promise<Figures> {
  const { programme } = plan;
  const cast = await gather(programme.publishing, teardown);
  const startMs = unixMs() + LEAD_MS;
  await cast.audience.ask({ order: "attend", target: cast.server.target, visits: programme.visits, startMs });
  const ticks = { seed: plan.seed, channels: plan.channels, durationMs: programme.endMs };
  for (const [index, encoder] of cast.encoders.entries()) {
    await encoder.ask({ order: "begin", plan: ticks, share: { index, of: ENCODERS }, startMs });
  }
  const repairs: Repairs = {};
  const faults = bringFaults(programme, cast, startMs, repairs);

  await sleepUntil(startMs + programme.fromMs);
  const cost = await measure(cast, startMs + programme.toMs);
  const watch = programme.timesTheSet ? await SetWatch.start(cast.redis.port, SET_KEY) : undefined;
  const reports = await Promise.all(cast.encoders.map((encoder) => encoder.ask({ order: "finish" })));
  await faults;
  const isFollowed = programme.timesTheSet || programme.faults.length > 0;
  await sleepUntil(startMs + programme.endMs + (isFollowed ? REST_MS : DELIVERY_MS));
  const astray = programme.faults.length > 0 ? { astray: await differing(cast) } : {};
  const { sessions, failed, firstFailure } = await cast.audience.ask({ order: "finish" });
  const received = await cast.receiver.ask({ order: "report" });
  watch?.stop();
  const told = reports.flatMap((report) => report.ticks);
  const window = { fromMs: startMs + programme.fromMs, toMs: startMs + programme.toMs };
  const failure = firstFailure ?? reports.find((report) => report.firstFailure)?.firstFailure;
  if (failure !== undefined) console.log(`${mode}: ${failure}`);
  return {
    ...cost,
    ...countsOf(told, sessions, window, cost["publishes"] ?? 0),
    ...verdictOf(mode, told, sessions, programme.graceMs),
    ...gateFigures([...reports, received].map(({ counters }) => counters)),
    webhooks: received.requests,
    webhookEvents: received.events,
    webhooksDoubled: received.doubled,
    webhooksSwapped: received.swapped,
    webhooksLost: received.refusedLate,
    ...(watch === undefined ? {} : lagFigures(watch, sessions)),
    ...repairs,
    ...astray,
    latestMs: Math.max(...reports.map((report) => report.latestMs)),
    failedViewers: failed,
  };
}

async function gather(how: Programme["publishing"], teardown: Teardown): Promise<Cast> {
  const ending = <P extends { stop: () => Promise<void> }>(process: P): P => {
    teardown.add(() => process.stop());
    return process;
  };
  const server = ending(await ServerProcess.start(earshotWith("--metrics-token", METRICS_TOKEN)));
  const redis = ending(await RedisProcess.start());
  const receiver: Receiver = ending(new WorkerProcess("gate/receiver.ts"));
  const encoders = Array.from(
    { length: ENCODERS },
    (): Encoder => ending(new WorkerProcess("gate/encoder.ts")),
  );
  const audience: Audience = ending(new WorkerProcess("gate/audience.ts"));
  const { target } = server;
  const publishing = await publishingOf(how, { server, redis, receiver });
  await Promise.all(encoders.map((encoder) => encoder.ask({ order: "set up", target, publishing })));
  const set = new OccupiedSet(redis.url, SET_KEY);
  teardown.add(() => set.close());
  return { server, redis, receiver, encoders, audience, set };
}

async function publishingOf(
  how: Programme["publishing"],
  { server, redis, receiver }: Pick<Cast, "server" | "redis" | "receiver">,
): Promise<Publishing> {
  if (how === "nothing") return { by: "nothing" };
  if (how === "all") return { by: "pusher" };
  if (how === "gate in memory") return { by: "gate", parts: { store: "memory" } };
  const { url } = await receiver.ask({ order: "listen" });
  const endpoint = await addWebhook(server.dataDir, url);
  await Bun.sleep(ENDPOINT_MS);
  const parts = { store: "redis", redisUrl: redis.url, endpoint } as const;
  await receiver.ask({ order: "feed", target: server.target, parts });
  return { by: "gate", parts };
}

/** What the measured time cost, in CPU milliseconds a second of each part and in bytes. */
async function measure(cast: Cast, untilMs: number): Promise<Record<string, number>> {
  const { server, redis, receiver, encoders, audience } = cast;
  const published = await publishedSoFar(server.target);
  const bytes = loopbackBytes();
  const meter = new Meter({
    server: () => server.cpuSeconds(),
    redis: () => redis.cpuSeconds(),
    receiver: () => receiver.cpuSeconds(),
    encoders: () => encoders.reduce((sum, encoder) => sum + encoder.cpuSeconds(), 0),
    audience: () => audience.cpuSeconds(),
  });
  await sleepUntil(untilMs);
  const { seconds, cpuSeconds, foreignPercent } = meter.read();
  const kilobytes = (loopbackBytes() - bytes) / 1_000;
  const publishes = (await publishedSoFar(server.target)) - published;
  const rate = (name: string): number => (1_000 * (cpuSeconds[name] ?? 0)) / seconds;
  return {
    seconds,
    publishes,
    publishesPerSecond: publishes / seconds,
    kilobytesPerSecond: kilobytes / seconds,
    serverCpu: rate("server"),
    redisCpu: rate("redis"),
    receiverCpu: rate("receiver"),
    encodersCpu: rate("encoders"),
    audienceCpu: rate("audience"),
    foreignPercent,
  };
}

async function bringFaults(
  programme: Programme,
  cast: Cast,
  startMs: number,
  repairs: Repairs,
): Promise<void> {
  for (const { atMs, fault } of programme.faults) {
    await sleepUntil(startMs + atMs);
    await FAULTS[fault](cast, repairs);
  }
}

const FAULTS: Readonly<Record<Fault, (cast: Cast, repairs: Repairs) => Promise<unknown>>> = {
  "endpoint goes down": ({ receiver }) => receiver.ask({ order: "treat", as: "is down" }),
  "endpoint comes up": ({ receiver }) => receiver.ask({ order: "treat", as: "takes" }),
  "webhooks are doubled and swapped": ({ receiver }) =>
    receiver.ask({ order: "treat", as: "doubles and swaps" }),
  "set is deleted": async (cast, repairs) => {
    await cast.set.delete();
    const deletedMs = performance.now();
    while ((await differing(cast)) > 0 && performance.now() - deletedMs < REPAIR_TIMEOUT_MS)
      await Bun.sleep(LOOK_MS);
    repairs.repairedMs = performance.now() - deletedMs;
  },
};

/** Channels that are in the set or watched, but not both. */
async function differing({ set, audience }: Cast): Promise<number> {
  const [members, watched] = await Promise.all([set.members(), audience.ask({ order: "watched" })]);
  const inSet = new Set(members.map(channelNumber));
  const seen = new Set<number | undefined>(watched);
  return inSet.symmetricDifference(seen).size;
}

function countsOf(
  ticks: readonly SentTick[],
  sessions: readonly Session[],
  window: { fromMs: number; toMs: number },
  publishes: number,
): Figures {
  const useful = usefulPublishes(sessions, window.fromMs, window.toMs);
  const isMeasured = ({ calledMs }: SentTick) => calledMs >= window.fromMs && calledMs < window.toMs;
  return {
    ticks: ticks.filter(isMeasured).length,
    useful,
    ...(publishes === 0 ? {} : { usefulRatio: Math.min(1, useful / publishes) }),
    afterLeaving: sentAfterLeaving(ticks, sessions, { ...window, delayMs: AFTER_LEAVING_MS }),
    failedTicks: ticks.filter(({ outcome }) => outcome === "failed").length,
  };
}

function verdictOf(
  mode: string,
  ticks: readonly SentTick[],
  sessions: readonly Session[],
  graceMs: number,
): Figures {
  const { due, missed, examples, repeated, disordered } = judge(ticks, sessions, graceMs);
  for (const example of examples) console.log(`${mode}: missed ${example}`);
  return { due, missed, repeated, disordered };
}

/** Of the whole run. One gate may keep what another catches up, so that only the sums are right. */
function gateFigures(all: readonly (GateCounters | undefined)[]): Figures {
  const counters = all.filter((one) => one !== undefined);
  if (counters.length === 0) return {};
  const sum = (name: keyof GateCounters) => counters.reduce((total, one) => total + one[name], 0);
  return { sent: sum("sent"), saved: sum("saved"), caughtUp: sum("caughtUp"), failedOpen: sum("failedOpen") };
}

function lagFigures({ changes }: SetWatch, sessions: readonly Session[]): Figures {
  const { toAddedMs, toRemovedMs } = gateLags(changes, sessions);
  const beyondMs = toRemovedMs.map((ms) => ms - VACATED_DELAY_MS);
  return {
    lagSamples: toAddedMs.length,
    addedP50Ms: quantile(toAddedMs, 0.5),
    addedP95Ms: quantile(toAddedMs, 0.95),
    removedSamples: toRemovedMs.length,
    removedP50Ms: quantile(beyondMs, 0.5),
    removedP95Ms: quantile(beyondMs, 0.95),
  };
}

async function sleepUntil(atMs: number): Promise<void> {
  await Bun.sleep(Math.max(0, atMs - unixMs()));
}
