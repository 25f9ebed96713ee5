/** The process that holds the clients: it fills the channels, then has them come and go at an even pace. */
import { Histogram } from "../load/histogram.ts";
import type { Target } from "../load/target.ts";
import { obey } from "../obey.ts";
import { Client } from "./client.ts";
import type { CrowdOrder, CrowdReplies, TurnReport } from "./order.ts";
import { channelName, type Population, turnAt } from "./turnover.ts";

/** Subscribes under way at one time while the channels are filled. */
const IN_FLIGHT = 64;
/** A subscribe that is not answered after so long never will be. */
const PATIENCE_MS = 5_000;

class Crowd {
  readonly #population: Population;
  readonly #clients: Client[] = [];
  /** When each subscribe that is under way was sent. */
  readonly #pending = new Map<string, number>();
  #latencies = newHistogram();
  #turned = 0;
  #onAnswer: () => void = () => {};
  firstFailure: string | undefined;

  constructor(population: Population) {
    this.#population = population;
  }

  async connect(target: Target, connections: number): Promise<void> {
    for (let index = 0; index < connections; index++) {
      const { promise, resolve, reject } = Promise.withResolvers<Client>();
      new Client(target, index, {
        connected: resolve,
        subscribed: (channel) => this.#subscribed(channel),
        failed: (why) => {
          this.firstFailure ??= why;
          reject(new Error(why));
        },
      });
      this.#clients.push(await promise);
    }
  }

  /** @returns how many channels have a subscriber now */
  async fill(): Promise<number> {
    for (let channel = 0; channel < this.#population.occupied; channel++) {
      this.#subscribe(channel);
      if (this.#pending.size >= IN_FLIGHT) await this.#nextAnswer();
    }
    await this.#allAnswers();
    return this.#population.occupied - this.#pending.size;
  }

  async turn(perSecond: number, seconds: number): Promise<TurnReport> {
    this.#latencies = newHistogram();
    const turns = perSecond * seconds;
    const startedMs = performance.now();
    let next = 0;
    let latestMs = 0;
    await new Promise<void>((resolve) => {
      const clock = setInterval(() => {
        const dueTurns = Math.min(turns, Math.floor(((performance.now() - startedMs) * perSecond) / 1_000));
        const lateMs = performance.now() - startedMs - (next * 1_000) / perSecond;
        if (next < dueTurns) latestMs = Math.max(latestMs, lateMs);
        while (next < dueTurns) this.#take(this.#turned + next++);
        if (next < turns) return;
        clearInterval(clock);
        resolve();
      }, 1);
    });
    this.#turned += turns;
    await this.#allAnswers();
    return {
      turned: this.#turned,
      p50Ms: this.#latencies.quantileMs(0.5),
      p99Ms: this.#latencies.quantileMs(0.99),
      maxMs: this.#latencies.maxMs,
      unanswered: this.#pending.size,
      latestMs,
      firstFailure: this.firstFailure,
    };
  }

  #take(number: number): void {
    const { channel, does } = turnAt(this.#population, number);
    if (does === "subscribe") this.#subscribe(channel);
    else this.#clientOf(channel).unsubscribe(channelName(channel));
  }

  #subscribe(channel: number): void {
    const name = channelName(channel);
    this.#pending.set(name, performance.now());
    this.#clientOf(channel).subscribe(name);
  }

  #subscribed(channel: string): void {
    const sentMs = this.#pending.get(channel);
    if (sentMs === undefined) {
      this.firstFailure ??= `a subscription to ${channel} that nobody asked for`;
      return;
    }
    this.#latencies.add(performance.now() - sentMs);
    this.#pending.delete(channel);
    this.#onAnswer();
  }

  #clientOf(channel: number): Client {
    const client = this.#clients[channel % this.#clients.length];
    if (client === undefined) throw new Error("nobody is connected");
    return client;
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      const patience = setTimeout(resolve, PATIENCE_MS);
      this.#onAnswer = () => {
        clearTimeout(patience);
        this.#onAnswer = () => {};
        resolve();
      };
    });
  }

  async #allAnswers(): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS;
    while (this.#pending.size > 0 && performance.now() < endMs) await Bun.sleep(5);
  }
}

function newHistogram(): Histogram {
  return new Histogram(0.01, 2_000);
}

let crowd: Crowd | undefined;

obey(async (order: CrowdOrder): Promise<CrowdReplies[CrowdOrder["order"]]> => {
  if (order.order === "gather") {
    crowd = new Crowd(order.population);
    await crowd.connect(order.target, order.connections);
    return { subscribed: await crowd.fill(), firstFailure: crowd.firstFailure };
  }
  if (crowd === undefined) throw new Error("nobody has gathered");
  return await crowd.turn(order.perSecond, order.seconds);
});
