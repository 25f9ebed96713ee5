/** A process that publishes numbered events through a gate of its own, as a worker of a product would. */

import Pusher from "pusher";
import { createGate, type Gate, type GateError, redisStore } from "../../packages/gate/src/index.ts";
import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { TICK, type WorkerNews, type WorkerOrder, type WorkerPlan } from "./worker-order.ts";

const AGAIN_MS = 20;

class Worker {
  readonly #plan: WorkerPlan;
  readonly #redis: Bun.RedisClient | undefined;
  readonly #gate: Gate;
  readonly #chance: SeededChance;
  #isResting = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(plan: WorkerPlan) {
    const { app, host, port, feed, lagWindowMs } = plan;
    this.#plan = plan;
    this.#chance = new SeededChance(plan.seed * 16 + plan.worker);
    const pusher = new Pusher({ appId: app.id, key: app.key, secret: app.secret, host, port: String(port) });
    const onError = ({ code, message }: GateError) => tell({ told: "complaint", code, why: message });
    if (feed.from === "stream") {
      this.#gate = createGate({ pusher, feed: feed.from, lagWindowMs, onError });
      return;
    }
    this.#redis = new Bun.RedisClient(feed.redisUrl);
    const store = redisStore(this.#redis);
    this.#gate = createGate({
      pusher,
      feed: feed.from,
      endpoint: feed.endpoint,
      store,
      lagWindowMs,
      onError,
    });
  }

  async start(): Promise<void> {
    await this.#gate.start();
    this.#work = Promise.all(this.#plan.channels.map((channel) => this.#publish(channel)));
    tell({ told: "working" });
  }

  async rest(): Promise<void> {
    this.#isResting = true;
    await this.#work;
    tell({ told: "resting", counters: this.#gate.counters });
  }

  async close(): Promise<void> {
    await this.#gate.close();
    this.#redis?.close();
    tell({ told: "closed" });
  }

  async #publish(channel: string): Promise<void> {
    for (let number = 1; !this.#isResting; number++) {
      await this.#call(channel, number);
      await Bun.sleep(this.#chance.integer(this.#plan.paceMs));
    }
  }

  /** Until it does not fail. */
  async #call(channel: string, number: number): Promise<void> {
    const { worker } = this.#plan;
    for (;;) {
      const calledMs = Date.now();
      try {
        const isSent = await this.#gate.trigger(channel, TICK, { worker, number });
        return tell({ told: "call", call: { worker, channel, number, calledMs, isSent } });
      } catch (problem) {
        tell({ told: "failure", why: `${channel} ${number}: ${String(problem)}` });
        await Bun.sleep(AGAIN_MS);
      }
    }
  }
}

function tell(news: WorkerNews): void {
  process.send?.(news);
}

let worker: Worker | undefined;

process.on("message", async (order: WorkerOrder) => {
  if (order.do === "work") {
    worker = new Worker(order.plan);
    await worker.start();
  } else if (order.do === "rest") await worker?.rest();
  else await worker?.close();
});
process.on("disconnect", () => process.exit(0));
