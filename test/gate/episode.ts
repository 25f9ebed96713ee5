import { type Counters, createGate, type Gate, redisStore } from "../../packages/gate/src/index.ts";
import { Finding } from "../shadow/finding.ts";
import { Trace } from "../shadow/trace.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { RedisServer } from "../support/redis.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { addWebhook } from "../support/webhook-endpoint.ts";
import { Audience } from "./audience.ts";
import { Carrier } from "./carrier.ts";
import { Crew, planWorkers } from "./crew.ts";
import type { Terms } from "./judgement.ts";
import { type Fault, isDeathless, scheduleOf } from "./schedule.ts";
import { CHANNELS, LAG_WINDOW_MS, SERVER_FLAGS } from "./world.ts";

const SET = "pusher:channels";
const BUSY_MS = 1_500; // ours: what a machine with other work adds to each time that is promised
const REST_MS = 10_000; // ours: the longest pause of anything that is tried again, several times
const AGAIN_MS = 20;
/** What gates may complain of while something is away. */
const EXPECTED = ["store_unavailable", "position_unavailable", "feed_behind", "stream_failed"];

export interface Outcome {
  readonly calls: number;
  readonly saved: number;
  readonly caughtUp: number;
  readonly failedOpen: number;
  readonly heard: number;
  readonly sessions: number;
  readonly tookMs: number;
}

/** Plays one seed on a server, a Redis and workers of its own. @throws an error that says how to play it again */
export async function playSeed(seed: number, redisProgram: string): Promise<Outcome> {
  const trace = new Trace();
  const episode = new Episode(seed, trace);
  try {
    return await episode.play(redisProgram);
  } catch (problem) {
    const isFinding = problem instanceof Finding;
    const what =
      problem instanceof Error && !isFinding ? (problem.stack ?? problem.message) : String(problem);
    const told = trace.ofChannel(isFinding ? problem.channel : undefined);
    throw new Error(
      `seed ${seed}: ${what}\n${told}\nagain: EARSHOT_GATE_SEED=${seed} npm test -- test/gate/faults`,
    );
  } finally {
    await episode.end();
  }
}

interface Scene {
  readonly redis: RedisServer;
  readonly earshot: Earshot;
  readonly carrier: Carrier;
  /** Of the process that receives the webhooks. */
  readonly gate: Gate;
  readonly crew: Crew;
  readonly client: Bun.RedisClient;
  readonly audience: Audience;
}

class Episode {
  readonly #seed: number;
  readonly #trace: Trace;
  readonly #undo: (() => unknown)[] = [];

  constructor(seed: number, trace: Trace) {
    this.#seed = seed;
    this.#trace = trace;
  }

  async play(redisProgram: string): Promise<Outcome> {
    const startedMs = performance.now();
    const scene = await this.#setUp(redisProgram);
    const { visits, faults } = scheduleOf(this.#seed);
    const { audience, crew } = scene;
    const beganMs = performance.now();
    audience.attend(visits);
    for (const fault of faults) {
      await Bun.sleep(Math.max(0, beganMs + fault.atMs - performance.now()));
      await this.#do(scene, fault);
    }
    await audience.visited();
    await this.#rest(scene);
    await audience.leave();
    this.#judge(scene);
    await this.#setIs(scene, []);
    const { saved, caughtUp, failedOpen } = await this.#count(scene);
    await crew.close();
    const { heard, sessions } = audience;
    const tookMs = performance.now() - startedMs;
    return {
      calls: crew.calls.length,
      saved,
      caughtUp,
      failedOpen,
      heard,
      sessions: sessions.length,
      tookMs,
    };
  }

  async end(): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo();
  }

  async #setUp(redisProgram: string): Promise<Scene> {
    const storage = ["--appendonly", "yes", "--appendfsync", "always", "--dir", temporaryFolder()];
    const redis = await RedisServer.start(redisProgram, storage);
    this.#undo.push(() => redis.stop());
    const earshot = await startEarshot({ args: SERVER_FLAGS });
    this.#undo.push(() => earshot.kill());
    const carrier: Carrier = new Carrier({
      receive: (request) => receive(request),
      seed: this.#seed,
      swapMs: LAG_WINDOW_MS * 0.4,
    });
    this.#undo.push(() => carrier.stop());
    const endpoint = await addWebhook(earshot, carrier.url, {
      events: ["channel_occupied", "channel_vacated"],
    });
    await earshot.updateApp("--enabled", "true"); // and the endpoint is taken up too
    const client = new Bun.RedisClient(redis.url);
    this.#undo.push(() => client.close());
    const gate = createGate({
      pusher: pusherFor(earshot),
      feed: "webhooks",
      endpoint,
      store: redisStore(client),
      lagWindowMs: LAG_WINDOW_MS,
      onError: ({ code, message }) => this.#trace.tell(`the receiver's gate: ${code}: ${message}`),
    });
    const receive = gate.receiver();
    this.#undo.push(() => gate.close());
    await gate.start();
    const feed = { from: "webhooks", endpoint, redisUrl: redis.url } as const;
    const crew = new Crew(planWorkers(earshot, { feed, seed: this.#seed, lagWindowMs: LAG_WINDOW_MS }));
    this.#undo.push(() => crew.end());
    await crew.working();
    return { redis, earshot, carrier, gate, crew, client, audience: new Audience(earshot, this.#trace) };
  }

  async #do({ earshot, redis, carrier, crew, client, audience }: Scene, fault: Fault): Promise<void> {
    this.#trace.tell(JSON.stringify(fault));
    switch (fault.do) {
      case "carrier":
        if (fault.manner === "is down") await carrier.goDown();
        else carrier.manner = fault.manner;
        await Bun.sleep(fault.forMs);
        carrier.manner = "carries";
        carrier.comeUp();
        break;
      case "delete set":
        await client.del(SET);
        break;
      case "restart server":
        audience.cutOff();
        await earshot[fault.how]();
        await Bun.sleep(fault.downMs);
        await earshot.restart();
        break;
      case "restart redis":
        await redis.crash();
        await Bun.sleep(fault.downMs);
        await redis.resume();
        break;
      case "freeze":
        if (fault.what === "redis") redis.freeze();
        else process.kill(earshot.pid, "SIGSTOP");
        await Bun.sleep(fault.forMs);
        if (fault.what === "redis") redis.thaw();
        else process.kill(earshot.pid, "SIGCONT");
        break;
      case "kill worker":
        await crew.kill(fault.worker);
    }
    this.#trace.tell(`${fault.do}: over`);
  }

  /** Nothing goes wrong any more, nothing new is published, and what is on its way arrives. */
  async #rest(scene: Scene): Promise<void> {
    this.#trace.tell("everything comes to rest");
    await scene.carrier.arrived();
    await scene.crew.rest();
    await this.#setIs(scene, [CHANNELS[0]]);
    const { audience, crew } = scene;
    const endMs = performance.now() + REST_MS;
    for (;;) {
      const problem = audience.problem(audience.watching, crew.calls, this.#terms(scene));
      if (problem === undefined && audience.watching.length > 0) return;
      if (performance.now() > endMs)
        throw new Finding(`at rest: ${problem?.text ?? "nobody watches"}`, problem?.channel);
      await Bun.sleep(AGAIN_MS);
    }
  }

  #judge(scene: Scene): void {
    const { audience, crew } = scene;
    const complaint = crew.complaints.find(({ code }) => !EXPECTED.includes(code));
    if (complaint !== undefined) throw new Finding(JSON.stringify(complaint));
    const problem = audience.problem(audience.sessions, crew.calls, this.#terms(scene));
    if (problem !== undefined) throw new Finding(problem.text, problem.channel);
    const [failure] = crew.failures;
    if (isDeathless(this.#seed) && failure !== undefined) throw new Finding(`a call failed: ${failure}`);
  }

  #terms({ crew }: Scene): Terms {
    const mayRepeat = !isDeathless(this.#seed) || crew.hasMissedStore;
    return { patienceMs: LAG_WINDOW_MS + BUSY_MS, mayRepeat, mayOvertake: (call) => crew.mayOvertake(call) };
  }

  /** @throws Finding where it does not become so */
  async #setIs({ client }: Scene, channels: readonly string[]): Promise<void> {
    let members: string[] = [];
    const isSo = async () => {
      members = (await client.smembers(SET)).sort();
      return Bun.deepEquals(members, channels);
    };
    await until("the set is right", isSo, REST_MS).catch(() => {
      throw new Finding(
        `the set holds ${JSON.stringify(members)} while ${JSON.stringify(channels)} are watched`,
      );
    });
  }

  /** What all gates have counted. @throws Finding where that is not what was called */
  async #count({ gate, crew }: Scene): Promise<Counters> {
    const isRight = () => gate.totals.sent + gate.totals.saved === crew.calls.length;
    if (isDeathless(this.#seed)) {
      await until("the counts are told", isRight, REST_MS).catch(() => {
        throw new Finding(`${JSON.stringify(gate.totals)} of ${crew.calls.length} calls`);
      });
    }
    return gate.totals;
  }
}
