import { cpSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StampedEvent } from "@earshot/protocol/webhook";
import { readDeadLetters, readServerLog } from "../support/server-log.ts";
import { Finding } from "./finding.ts";
import type { RedisSet } from "./redis-set.ts";
import { type Dispute, firstDispute, viewOf, webhookPosition } from "./rest.ts";
import { scheduleOf } from "./schedule.ts";
import type { ShadowEndpoint } from "./shadow-endpoint.ts";
import { Stage } from "./stage.ts";
import type { Step, Truth } from "./step.ts";
import { Trace } from "./trace.ts";
import { checkDepartures, checkLog, checkReceived, missing } from "./verdict.ts";
import { stateOf } from "./view.ts";
import { witnessesOf } from "./witnesses.ts";
import { isCalm, TIMES, weatherOf } from "./world.ts";

const REST_MS = 8_000; // ours: the longest pause between two attempts, many times
const LOOK_MS = 20;
const SPARE_MS = 100; // ours: what a busy server may be late by

export interface Outcome {
  readonly events: number;
  readonly requests: number;
  readonly repeats: number;
  /** Events that a receiver was never told, because the weather was rough. */
  readonly givenUp: number;
  readonly restarts: number;
  readonly tookMs: number;
}

/** Plays one seed on a server of its own. @throws with what was found, how it came to that, and how to see it again */
export async function playSeed(seed: number, length: number, redisSet?: RedisSet): Promise<Outcome> {
  const trace = new Trace();
  const startMs = performance.now();
  const stage = await Stage.set({ seed, trace, ...(redisSet === undefined ? {} : { redisSet }) });
  try {
    const episode = new Episode(seed, stage, trace);
    return { ...(await episode.play(length)), tookMs: performance.now() - startMs };
  } catch (problem) {
    const what = problem instanceof Finding || !(problem instanceof Error) ? String(problem) : problem.stack;
    const story = trace.ofChannel(problem instanceof Finding ? problem.channel : undefined);
    const again = `npm run shadow -- --seed ${seed} --steps ${length}`;
    const kept = await keep(seed, trace, stage);
    throw new Error(`seed ${seed}: ${what}\n${story}\nall of it: ${kept}\nagain: ${again}`);
  } finally {
    await stage.strike();
  }
}

/** Keeps the whole trace and the server's data for who looks into a finding. Returns where. */
async function keep(seed: number, trace: Trace, { earshot }: Stage): Promise<string> {
  const folder = join(tmpdir(), `earshot-shadow-${seed}`);
  await earshot.kill();
  rmSync(folder, { recursive: true, force: true });
  cpSync(earshot.dataDir, folder, { recursive: true });
  writeFileSync(join(folder, "trace.txt"), trace.all);
  return folder;
}

class Episode {
  readonly #isCalm: boolean;
  readonly #seed: number;
  readonly #stage: Stage;
  readonly #trace: Trace;

  constructor(seed: number, stage: Stage, trace: Trace) {
    this.#isCalm = isCalm(weatherOf(seed));
    this.#seed = seed;
    this.#stage = stage;
    this.#trace = trace;
  }

  async play(length: number): Promise<Omit<Outcome, "tookMs">> {
    const { steps, truths } = scheduleOf(this.#seed, length);
    const coming = [...truths];
    for (const step of steps) {
      await this.#do(step, coming);
      if (this.#stage.finding !== undefined) throw this.#stage.finding;
    }
    await this.#stage.earshot.stop();
    const log = this.#log();
    this.#judge(log);
    const { endpoints, attendance } = this.#stage;
    return {
      events: log.length,
      requests: endpoints.reduce((sum, { requests }) => sum + requests, 0),
      repeats: endpoints.reduce((sum, { repeats }) => sum + repeats, 0),
      givenUp: endpoints.reduce((sum, endpoint) => sum + missing(endpoint, log).length, 0),
      restarts: attendance.outages.length,
    };
  }

  async #do(step: Step, truths: Truth[]): Promise<void> {
    const stage = this.#stage;
    switch (step.do) {
      case "connect":
        return stage.client(step.client).connect(step.afterMs);
      case "subscribe":
        return stage.client(step.client).subscribe(step.channel);
      case "unsubscribe":
        return stage.client(step.client).unsubscribe(step.channel);
      case "disconnect":
        return stage.client(step.client).disconnect(step.how);
      case "say":
        return stage.client(step.client).say(step.channel);
      case "wait":
        return await Bun.sleep(step.ms);
      case "fault":
        return stage.endpoints[step.endpoint]?.fail(step.fault, step.ms);
      case "add endpoint":
        return stage.addEndpoint(step.endpoint);
      case "pause endpoint":
        return stage.pauseEndpoint(step.endpoint, step.ms);
      case "break stream":
        return stage.streams[step.stream]?.breakOff();
      case "restart":
        return await this.#restart(step);
      case "rest": {
        const truth = truths.shift();
        if (truth !== undefined) await this.#rest(truth);
      }
    }
  }

  async #restart({ how, downMs, returns }: Step & { readonly do: "restart" }): Promise<void> {
    const { earshot, clients, attendance } = this.#stage;
    const fromMs = Date.now();
    this.#trace.tell(`the server is to ${how}`);
    for (const client of clients) client.cutOff(fromMs);
    await earshot[how]();
    await Bun.sleep(downMs);
    await earshot.restart();
    // The server writes this file just before it begins to settle, and the one with its URL some time later.
    const startedMs = Math.floor(statSync(join(earshot.dataDir, "earshot.pid")).mtimeMs);
    attendance.outages.push({ how, fromMs, settledMs: startedMs + TIMES.settle });
    this.#trace.tell(`the server is there again, since ${startedMs}`);
    for (const { client, afterMs, channels } of returns) {
      this.#stage.client(client).connect(afterMs);
      for (const channel of channels) this.#stage.client(client).subscribe(channel);
    }
  }

  async #rest(truth: Truth): Promise<void> {
    const stage = this.#stage;
    this.#trace.tell("everything comes to rest");
    for (const endpoint of stage.endpoints) await endpoint.heal();
    await Promise.all([stage.changed(), ...stage.clients.map((client) => client.settled())]);
    // Once what is still to be decided has been: a view that is right by accident does not count.
    const { settledMs = 0 } = stage.attendance.outages.at(-1) ?? {};
    await Bun.sleep(TIMES.vacatedDelay + SPARE_MS + Math.max(0, settledMs - Date.now()));
    const endMs = performance.now() + REST_MS;
    for (;;) {
      const dispute = (await this.#dispute(truth)) ?? this.#missing() ?? (await this.#waiting());
      if (stage.finding !== undefined) throw stage.finding;
      if (dispute === undefined) break;
      if (performance.now() > endMs) throw new Finding(`at rest: ${dispute.text}`, dispute.channel);
      await Bun.sleep(LOOK_MS);
    }
    for (const endpoint of stage.endpoints) endpoint.getOn();
  }

  #dispute(truth: Truth): Promise<Dispute | undefined> {
    const witnesses = witnessesOf({ ...this.#stage, log: () => this.#log() }, truth);
    return firstDispute(witnesses, viewOf(truth));
  }

  #missing(): Dispute | undefined {
    const log = this.#log();
    for (const endpoint of this.#stage.endpoints) {
      if (endpoint.addedMs === undefined) continue;
      const isExcused = this.#excuse(endpoint);
      const event = missing(endpoint, log).find((one) => !isExcused(one));
      if (event === undefined) continue;
      const text = `receiver "${endpoint.plan.name}" was never told ${JSON.stringify(event)}`;
      return { text, channel: event.channel };
    }
    return undefined;
  }

  async #waiting(): Promise<Dispute | undefined> {
    const { waiting, oldest_undelivered_ms: oldestMs } = await webhookPosition(this.#stage.earshot);
    if (waiting === 0 && oldestMs === null) return undefined;
    return { text: `${waiting} events wait, the oldest since ${oldestMs}`, channel: undefined };
  }

  /** In rough weather some events need not arrive: states that have changed since, and dead letters. */
  #excuse(endpoint: ShadowEndpoint): (event: StampedEvent) => boolean {
    if (this.#isCalm) return () => false;
    const deadLetters = readDeadLetters(this.#stage.earshot.dataDir);
    return (event) => endpoint.isSuperseded(event) || deadLetters.has(event.version);
  }

  #judge(log: readonly StampedEvent[]): void {
    const { attendance, streams, endpoints } = this.#stage;
    checkLog(log);
    checkDepartures(log, attendance);
    for (const stream of streams) stream.check(log);
    // A state that was given up for a while comes later than other events of its channel.
    const orderOf = (event: StampedEvent) =>
      this.#isCalm ? event.channel : (stateOf(event)?.subject ?? `moments of ${event.channel}`);
    for (const endpoint of endpoints) checkReceived(endpoint, log, orderOf);
  }

  #log(): StampedEvent[] {
    const { dataDir, app } = this.#stage.earshot;
    return readServerLog(dataDir, app.id);
  }
}
