/** The load process: a crowd and a publisher that do what the bench orders. */
import { obey } from "../obey.ts";
import { Crowd, type GatherReport } from "./crowd.ts";
import { Histogram } from "./histogram.ts";
import { CheckingInbox, CountingInbox, LatencyInbox, type Tally } from "./inbox.ts";
import type { Delivery, Latency, Order, Replies } from "./order.ts";
import { Publisher, type PublishReport } from "./publisher.ts";
import type { Inbox, Subscriber } from "./subscriber.ts";

/** After so long without a delivery the missing ones are taken for lost. */
const QUIET_MS = 2_000;
const MAX_TIMED_EVENTS = 1_000_000;

class Load {
  readonly #crowd: Crowd;
  readonly #publisher: Publisher;
  readonly #tally: Tally = { delivered: 0, lastAtMs: 0, wrong: 0 };
  readonly #sentAtMs = new Float64Array(MAX_TIMED_EVENTS);
  #latencies = newHistogram();

  constructor({ target }: Extract<Order, { order: "target" }>) {
    this.#crowd = new Crowd(target);
    this.#publisher = new Publisher(target);
  }

  gather(order: Extract<Order, { order: "gather" }>): Promise<GatherReport> {
    return this.#crowd.gather({
      channelOf: (index) => (order.ownChannels ? `${order.channel}${index}` : order.channel),
      count: order.count,
      concurrency: order.concurrency,
      newInbox: (subscriber, index) => this.#newInbox(order, subscriber, index),
    });
  }

  disperse(): void {
    this.#crowd.disperse();
  }

  received(): Replies["received"] {
    const received = { delivered: this.#tally.delivered, closed: this.#crowd.lost };
    this.#resetTally();
    return received;
  }

  nap(ms: number): void {
    setInterval(() => Bun.sleepSync(ms), 0);
  }

  prepare(order: Extract<Order, { order: "prepare" }>): void {
    this.#publisher.prepare(order.channel, order.count, order.bytes);
  }

  async publish(order: Extract<Order, { order: "publish" }>): Promise<Delivery> {
    this.#resetTally();
    return this.#delivery(await this.#publisher.publish(order.inFlight, order.forMs));
  }

  async pace(order: Extract<Order, { order: "pace" }>): Promise<Latency> {
    this.#resetTally();
    const latencies = newHistogram();
    this.#latencies = latencies;
    const delivery = await this.#delivery(
      await this.#publisher.pace(order.perSecond, order.lanes, this.#sentAtMs),
    );
    return {
      ...delivery,
      p50Ms: latencies.quantileMs(0.5),
      p99Ms: latencies.quantileMs(0.99),
      maxMs: latencies.maxMs,
    };
  }

  #newInbox(order: Extract<Order, { order: "gather" }>, subscriber: Subscriber, index: number): Inbox {
    if (order.inbox === "latency") {
      return new LatencyInbox(subscriber, this.#tally, this.#sentAtMs, () => this.#latencies);
    }
    return index < order.samples
      ? new CheckingInbox(subscriber, this.#tally)
      : new CountingInbox(subscriber, this.#tally);
  }

  #resetTally(): void {
    this.#tally.delivered = 0;
    this.#tally.wrong = 0;
    this.#crowd.lost = 0;
  }

  async #delivery(report: PublishReport): Promise<Delivery> {
    const tally = this.#tally;
    const subscribers = this.#crowd.size + this.#crowd.lost;
    const due = report.accepted * subscribers;
    while (
      tally.delivered < due &&
      performance.now() - Math.max(tally.lastAtMs, report.answeredMs) < QUIET_MS
    ) {
      await Bun.sleep(5);
    }
    return {
      accepted: report.accepted,
      refused: report.refused,
      firstRefusal: report.firstRefusal,
      subscribers,
      due,
      delivered: tally.delivered,
      wrong: tally.wrong,
      closed: this.#crowd.lost,
      wallMs: Math.max(tally.lastAtMs, report.answeredMs) - report.startedMs,
    };
  }
}

function newHistogram(): Histogram {
  return new Histogram(0.01, 2_000);
}

let load: Load | undefined;

function act(order: Order): Replies[Order["order"]] | Promise<Replies[Order["order"]]> {
  if (order.order === "target") {
    load = new Load(order);
    return null;
  }
  if (load === undefined) throw new Error(`the order "${order.order}" came before a target`);
  switch (order.order) {
    case "gather":
      return load.gather(order);
    case "publish":
      return load.publish(order);
    case "pace":
      return load.pace(order);
    case "received":
      return load.received();
    case "nap":
      load.nap(order.ms);
      return null;
    case "disperse":
      load.disperse();
      return null;
    case "prepare":
      load.prepare(order);
      return null;
  }
}

obey(act);
