import type { Counters, Gate } from "../../packages/gate/src/index.ts";
import { Finding } from "../shadow/finding.ts";
import { Trace } from "../shadow/trace.ts";
import { RedisServer } from "../support/redis.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { Audience } from "./audience.ts";
import { Crew, planWorkers } from "./crew.ts";
import type { Terms } from "./judgement.ts";
import { type Fault, isDeathless, scheduleOf } from "./schedule.ts";
import { SET, Stage } from "./stage.ts";
import { CHANNELS, LAG_WINDOW_MS, SERVER_FLAGS } from "./world.ts";

const BUSY_MS = 1_500; // ours: what a machine with other work adds to each time that is promised
const REST_MS = 10_000; // ours: the longest pause of anything that is tried again, several times
const AGAIN_MS = 20;
/** What gates may complain of while something is away. */
const EXPECTED = ["store_unavailable", "position_unavailable", "feed_behind", "stream_failed"];

export interface Outcome {
  readonly calls: number;
  readonly saved: number;
  readonly caughtUp: number;
  readonly heard: number;
  readonly sessions: number;
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
  readonly stage: Stage;
  /** Of the process that receives the webhooks. */
  readonly gate: Gate;
  readonly crew: Crew;
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
    const { saved, caughtUp } = await this.#count(scene);
    await crew.close();
    const { heard, sessions } = audience;
    return {
      calls: crew.calls.length,
      saved,
      caughtUp,
      heard,
      sessions: sessions.length,
    };
  }

  async end(): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo();
  }

  async #setUp(redisProgram: string): Promise<Scene> {
    const storage = ["--appendonly", "yes", "--appendfsync", "always", "--dir", temporaryFolder()];
    const redis = await RedisServer.start(redisProgram, storage);
    this.#undo.push(() => redis.stop());
    const seed = this.#seed;
    const stage = await Stage.start(redis, SERVER_FLAGS, { seed, swapMs: LAG_WINDOW_MS * 0.4 });
    this.#undo.push(() => stage.stop());
    const gate = await stage.receivingGate({
      lagWindowMs: LAG_WINDOW_MS,
      onError: ({ code, message }) => this.#trace.tell(`the receiver's gate: ${code}: ${message}`),
    });
    const { earshot, feed } = stage;
    const crew = new Crew(planWorkers(earshot, { feed, seed, lagWindowMs: LAG_WINDOW_MS }));
    this.#undo.push(() => crew.end());
    await crew.working();
    return { redis, stage, gate, crew, audience: new Audience(earshot, this.#trace) };
  }

  async #do({ stage, redis, crew, audience }: Scene, fault: Fault): Promise<void> {
    const { carrier, earshot } = stage;
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
        await stage.redis.del(SET);
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
    await scene.stage.carrier.arrived();
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
  async #setIs({ stage }: Scene, channels: readonly string[]): Promise<void> {
    let members: string[] = [];
    const isSo = async () => {
      members = await stage.watched();
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
