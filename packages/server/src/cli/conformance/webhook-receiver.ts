/** A back-end that webhooks are sent to. It shows what arrives, and refuses where a check wants it to. */
import { type Arrived, type Delivery, type Event, isFiltered, readDelivery, textOf } from "./delivery.ts";
import { Finding, shown } from "./finding.ts";

const TOLD_MS = 10_000; // ours: a batch window, a queue, and a server that looks for new endpoints now and then
const MAX_BODY_BYTES = 1024 * 1024; // ours: a batch of a hundred of the largest client events
const MAX_KEPT = 20_000; // ours: more than a run causes
const REFUSED = 500;

/** An event, and the request that brought it. */
export interface Told {
  readonly event: Event;
  readonly delivery: Delivery;
}

interface Wish {
  /** In `user_id`, as a text. */
  readonly userId?: string;
  readonly timeoutMs?: number;
  /** Of several that match, the one at this position. */
  readonly at?: number;
}

export class WebhookReceiver {
  readonly #server: Bun.Server<undefined>;
  readonly #deliveries: Delivery[] = [];
  readonly #waiters = new Set<() => void>();
  /** How many more deliveries about a channel are refused. */
  readonly #refusals = new Map<string, number>();

  /** @throws where the address cannot be listened on */
  constructor(hostname: string, port: number) {
    this.#server = Bun.serve({
      hostname,
      port,
      maxRequestBodySize: MAX_BODY_BYTES,
      fetch: async (request) => await this.#receive(request),
    });
  }

  /** Without a path. */
  get url(): string {
    return this.#server.url.origin;
  }

  /** Everything that arrived, in order, what was refused too. */
  get deliveries(): readonly Delivery[] {
    return this.#deliveries;
  }

  async #receive(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const arrived: Arrived = {
      method: request.method,
      path: `${pathname}${search}`,
      headers: new Map(request.headers),
      body: await request.bytes(),
      arrivedMs: Date.now(),
    };
    const delivery = readDelivery(arrived, (events) => (this.#isRefused(arrived, events) ? REFUSED : 200));
    this.#deliveries.push(delivery);
    if (this.#deliveries.length > MAX_KEPT) this.#deliveries.shift();
    for (const wake of this.#waiters) wake();
    return new Response("", { status: delivery.status });
  }

  #isRefused(arrived: Arrived, events: readonly Event[]): boolean {
    if (isFiltered(arrived)) return false;
    const channel = events.map((event) => String(event["channel"])).find((name) => this.#refusals.has(name));
    if (channel === undefined) return false;
    const left = this.#refusals.get(channel) ?? 0;
    if (left > 1) this.#refusals.set(channel, left - 1);
    else this.#refusals.delete(channel);
    return true;
  }

  /** The next deliveries about a channel are answered by a 500, at endpoints without a filter. */
  refuse(channel: string, times: number): void {
    this.#refusals.set(channel, times);
  }

  /** What was told about a channel to endpoints without a filter, and accepted, in the order in which it arrived. */
  about(channel: string): Told[] {
    return this.#deliveries
      .filter((delivery) => delivery.status === 200 && !isFiltered(delivery))
      .flatMap((delivery) => delivery.events.map((event) => ({ event, delivery })))
      .filter(({ event }) => event["channel"] === channel);
  }

  /** An event of `about`; waits for it. @throws Finding where it does not come */
  async told(channel: string, name: string, wish: Wish = {}): Promise<Told> {
    const { userId, at = 0, timeoutMs = TOLD_MS } = wish;
    const find = () =>
      this.about(channel).filter(
        ({ event }) =>
          event["name"] === name && (userId === undefined || String(event["user_id"]) === userId),
      )[at];
    await this.until(() => find() !== undefined, timeoutMs);
    const found = find();
    if (found !== undefined) return found;
    const who = userId === undefined ? "" : ` for ${userId}`;
    throw new Finding(
      `the webhook ${name}${who} of ${channel} did not come within ${timeoutMs / 1_000} s; ${this.#last()}`,
    );
  }

  /** Waits until something is so, and returns whether it is. */
  async until(isSo: () => boolean, timeoutMs = TOLD_MS): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = () => {
      if (isSo()) resolve(true);
    };
    const timer = setTimeout(() => resolve(false), timeoutMs);
    this.#waiters.add(look);
    try {
      look();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(look);
    }
  }

  #last(): string {
    const last = this.#deliveries.at(-1);
    return last === undefined ? "nothing came at all" : `last came ${shown(textOf(last))}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}
