import type { Change } from "../change.ts";
import { createGate, type Gate } from "../gate.ts";
import type { ApiAnswer, Publisher } from "../publisher.ts";
import type { GateStore } from "../store.ts";
import { pause } from "../time.ts";
import type { Chance } from "./chance.ts";
import { FakeService, requestError } from "./fake-service.ts";
import { signedWebhook, webhookBody } from "./gate-world.ts";
import type { ManualTime } from "./manual-time.ts";

const VACATED_DELAY_MS = 3_000; // the server's
const REDELIVER_MS = 500;
const NEVER = new Promise<never>(() => undefined);

/** What a worker asked for, and when. */
interface Call {
  readonly worker: string;
  readonly channel: string;
  readonly number: number;
  readonly atMs: number;
  hasReturned: boolean;
}

interface Visit {
  readonly channel: string;
  readonly fromMs: number;
  toMs: number;
}

interface Delivery {
  readonly change: Change;
  readonly sinceMs: number;
}

class Worker {
  isDead = false;
  readonly name: string;
  readonly gate: Gate;
  readonly receive: (request: Request) => Promise<Response>;

  constructor(
    name: string,
    service: StageService,
    time: ManualTime,
    store: (isDead: () => boolean) => GateStore,
  ) {
    this.name = name;
    this.gate = createGate({
      pusher: service.through(() => this.isDead),
      openStream: service.openStream,
      feed: "webhooks",
      endpoint: "e1",
      store: store(() => this.isDead),
      time: {
        monotonicMs: () => time.monotonicMs(),
        wallMs: () => time.wallMs(),
        after: (delayMs, call) =>
          time.after(delayMs, () => {
            if (!this.isDead) call();
          }),
      },
      onError: () => undefined,
    });
    this.receive = this.gate.receiver();
  }
}

/** A service whose answers take time, and which remembers when each event reached its watchers. */
class StageService extends FakeService {
  readonly heardAt: {
    readonly worker: string;
    readonly channel: string;
    readonly number: number;
    readonly atMs: number;
  }[] = [];
  readonly #chance: Chance;
  readonly #stageTime: ManualTime;

  constructor(time: ManualTime, chance: Chance) {
    super(time);
    this.#stageTime = time;
    this.#chance = chance;
  }

  /** The service as a worker reaches it, as long as it lives. */
  through(isDead: () => boolean): Publisher {
    const alive = <T>(work: () => Promise<T>): Promise<T> => (isDead() ? NEVER : work());
    return {
      trigger: (channel, event, data) =>
        alive(() => this.trigger(channel, event, data)).then((sent) => (isDead() ? NEVER : sent)),
      get: (request) => alive(() => this.get(request)),
      post: (request) => alive(() => this.post(request)),
      webhook: (request) => this.webhook(request),
      createSignedQueryString: (request) => this.createSignedQueryString(request),
    };
  }

  override async trigger(channel: string | string[], _event: string, data: unknown): Promise<unknown> {
    await pause(this.#stageTime, this.#chance.between(0, 15));
    const [worker, number] = String(data).split("#");
    for (const name of [channel].flat()) {
      this.heardAt.push({
        worker: worker ?? "",
        channel: name,
        number: Number(number),
        atMs: this.#stageTime.monotonicMs(),
      });
    }
    await pause(this.#stageTime, this.#chance.between(0, 15));
    return undefined;
  }

  override async post(request: { path: string; body: unknown }): Promise<ApiAnswer> {
    await pause(this.#stageTime, this.#chance.between(0, 30));
    return super.post(request);
  }
}

export interface StageParts {
  readonly time: ManualTime;
  readonly chance: Chance;
  readonly workers: number;
  readonly channels: readonly string[];
  readonly store: (isDead: () => boolean) => GateStore;
  readonly mayKill: boolean;
}

/**
 * Workers that publish numbered events, watchers that come and go, and webhooks that come late, twice, and in the wrong
 * order: what goes wrong is the schedule's to say. Afterwards it tells what a watcher has missed.
 */
export class Stage {
  readonly #parts: StageParts;
  readonly #service: StageService;
  readonly #calls: Call[] = [];
  readonly #visits: Visit[] = [];
  readonly #watching = new Map<string, Visit>();
  readonly #emptySinceMs = new Map<string, number>();
  readonly #announced = new Set<string>();
  /** Of each channel, in order. */
  readonly #undelivered = new Map<string, Delivery[]>();
  readonly #workers: Worker[] = [];
  #names = 0;
  readonly #deathsMs: number[] = [];
  #isOver = false;
  isEndpointDead = false;

  constructor(parts: StageParts) {
    this.#parts = parts;
    this.#service = new StageService(parts.time, parts.chance);
  }

  async start(): Promise<void> {
    for (let index = 0; index < this.#parts.workers; index++) this.#hire();
    for (const channel of this.#parts.channels) {
      this.#undelivered.set(channel, []);
      void this.#deliverAll(channel);
    }
    await this.#parts.time.advance(200);
  }

  /** Lets somebody come to a channel, or leave it. */
  toggle(channel: string): void {
    const nowMs = this.#parts.time.monotonicMs();
    const visit = this.#watching.get(channel);
    if (visit !== undefined) {
      visit.toMs = nowMs;
      this.#watching.delete(channel);
      this.#emptySinceMs.set(channel, nowMs);
      return;
    }
    const arrival = { channel, fromMs: nowMs, toMs: Number.POSITIVE_INFINITY };
    this.#visits.push(arrival);
    this.#watching.set(channel, arrival);
    this.#emptySinceMs.delete(channel);
    if (!this.#announced.has(channel)) this.#announce(channel, true);
  }

  /** What follows from the time that has passed. */
  look(): void {
    const nowMs = this.#parts.time.monotonicMs();
    for (const [channel, sinceMs] of this.#emptySinceMs) {
      if (nowMs - sinceMs < VACATED_DELAY_MS || !this.#announced.has(channel)) continue;
      this.#emptySinceMs.delete(channel);
      this.#announce(channel, false);
    }
    const waiting = [...this.#undelivered.values()].flat().map(({ sinceMs }) => nowMs - sinceMs);
    this.#service.undeliveredMs = waiting.length === 0 ? undefined : Math.max(...waiting);
  }

  /** The service stops saying how far it is, or goes on. */
  setSilent(isSilent: boolean): void {
    this.#service.positionFails = isSilent ? async () => Promise.reject(requestError()) : undefined;
  }

  /** One worker ends as `kill -9` ends it, and another takes its place. */
  kill(worker = this.#anyWorker()): void {
    if (worker === undefined || worker.isDead) return;
    worker.isDead = true;
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    this.#deathsMs.push(this.#parts.time.monotonicMs());
    this.#hire();
  }

  /** Everybody stops publishing. */
  end(): void {
    this.#isOver = true;
  }

  get published(): number {
    return this.#service.heardAt.length;
  }

  get calls(): number {
    return this.#calls.length;
  }

  isWatched(channel: string): boolean {
    return this.#watching.has(channel);
  }

  /** Events that watchers had to hear. */
  get due(): number {
    return this.#visits.reduce((sum, visit) => sum + this.#dueTo(visit).length, 0);
  }

  /** What watchers missed, or heard in the wrong order, in words. */
  problems(): string[] {
    return [...this.#missed(), ...this.#disordered()];
  }

  /** What was triggered long enough before the watcher left: it may have waited for a lease of the dead to run out. */
  #dueTo({ channel, fromMs, toMs }: Visit): Call[] {
    const untilMs = Math.min(toMs, this.#parts.time.monotonicMs());
    return this.#calls.filter((call) => {
      if (call.channel !== channel || !call.hasReturned || call.atMs < fromMs) return false;
      const isNearDeath = this.#deathsMs.some(
        (atMs) => call.atMs > atMs - 6_000 && call.atMs < atMs + 17_000,
      );
      return call.atMs < untilMs - (isNearDeath ? 17_000 : 6_000);
    });
  }

  #missed(): string[] {
    return this.#visits.flatMap((visit) => {
      const { channel, fromMs, toMs } = visit;
      const heard = new Set(
        this.#service.heardAt
          .filter((one) => one.channel === channel && one.atMs >= fromMs && one.atMs < toMs)
          .map(({ worker, number }) => `${worker}#${number}`),
      );
      return this.#dueTo(visit)
        .filter(({ worker, number }) => !heard.has(`${worker}#${number}`))
        .map(
          ({ worker, number, atMs }) =>
            `${worker}#${number}, triggered at ${atMs}, was not heard by who watched ${channel} from ${fromMs} to ${toMs}`,
        );
    });
  }

  #disordered(): string[] {
    const last = new Map<string, number>();
    const seen = new Set<string>();
    const problems: string[] = [];
    for (const { worker, channel, number, atMs } of this.#service.heardAt) {
      const stream = `${worker} on ${channel}`;
      const key = `${stream} ${number}`;
      const isRepeated = seen.has(key);
      seen.add(key);
      // Who dies may have sent what the next one sends again.
      if (isRepeated && this.#deathsMs.length > 0) continue;
      const before = last.get(stream) ?? 0;
      if (number <= before) problems.push(`${stream}: ${number} came at ${atMs}, after ${before}`);
      last.set(stream, Math.max(before, number));
    }
    return problems;
  }

  #announce(channel: string, isOccupied: boolean): void {
    if (isOccupied) this.#announced.add(channel);
    else this.#announced.delete(channel);
    const change = this.#service.announce(channel, isOccupied);
    this.#undelivered.get(channel)?.push({ change, sinceMs: this.#parts.time.monotonicMs() });
    this.look();
  }

  async #deliverAll(channel: string): Promise<void> {
    const { time, chance } = this.#parts;
    const queue = this.#undelivered.get(channel) ?? [];
    for (;;) {
      await pause(time, chance.between(5, 150));
      const delivery = queue[0];
      if (delivery === undefined || this.isEndpointDead) continue;
      if (!(await this.#deliver(delivery.change))) {
        await pause(time, REDELIVER_MS);
        continue;
      }
      // The answer was lost: it comes again, perhaps after what followed it.
      if (chance.isSo(0.4)) time.after(chance.between(0, 9_000), () => void this.#deliver(delivery.change));
      queue.shift();
      this.look();
    }
  }

  async #deliver(change: Change): Promise<boolean> {
    const worker = this.#anyWorker();
    if (worker === undefined) return false;
    const { time, chance, mayKill } = this.#parts;
    // Who hears of a watcher is about to catch up.
    if (mayKill && change.isOccupied && chance.isSo(0.1))
      time.after(chance.between(0, 30), () => this.kill(worker));
    const late = pause(this.#parts.time, 3_000).then(() => undefined);
    const request = signedWebhook(webhookBody(this.#service.nowMs(), [change]));
    const response = await Promise.race([worker.receive(request), late]);
    return !worker.isDead && response?.status === 200;
  }

  #anyWorker(): Worker | undefined {
    return this.#workers[this.#parts.chance.between(0, this.#workers.length - 1)];
  }

  #hire(): void {
    this.#names++;
    const worker = new Worker(`w${this.#names}`, this.#service, this.#parts.time, this.#parts.store);
    this.#workers.push(worker);
    void worker.gate.start();
    for (const channel of this.#parts.channels) void this.#publishOn(worker, channel);
  }

  async #publishOn(worker: Worker, channel: string): Promise<void> {
    const { time, chance } = this.#parts;
    for (let number = 1; ; number++) {
      const isQuiet = chance.isSo(0.02);
      await pause(time, isQuiet ? chance.between(1_000, 12_000) : chance.between(5, 120));
      if (this.#isOver || worker.isDead) return;
      const call: Call = {
        worker: worker.name,
        channel,
        number,
        atMs: time.monotonicMs(),
        hasReturned: false,
      };
      this.#calls.push(call);
      await worker.gate.trigger(channel, "tick", `${worker.name}#${number}`);
      if (!worker.isDead) call.hasReturned = true;
    }
  }
}
