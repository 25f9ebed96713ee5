import { isStateEvent, parseWebhook, type StampedEvent, UnreadableWebhook } from "@earshot/protocol/webhook";
import { laneOf } from "#core/lane";
import type { KeptEvent } from "./arrears-tables.ts";
import { stamped } from "./batch.ts";
import type { RedeliveryWish, SkippedEvent, SkipReason } from "./delivery-log.ts";
import type { DeliveryTables } from "./delivery-tables.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Lane } from "./lane.ts";
import { breathe } from "./parts.ts";
import { isSuperseded } from "./superseded.ts";
import type { WishRow } from "./wish-table.ts";

const REQUESTS_AT_ONCE = 50; // ours: bodies of up to 20 events
const ENTRIES_AT_ONCE = 500; // ours
const MAX_LISTED = 1_000; // ours: what is skipped beyond is only counted
const KEPT_WISHES = 1_000; // ours: answers that a person may still ask for
const RETRY_MS = 250; // ours: until the store is asked again

/** Makes one wish come true: what is asked for is written down for the lanes, and the answer for who asked. */
export async function redeliver(
  endpoint: Endpoint,
  { id, wish }: Pick<WishRow, "id" | "wish">,
): Promise<void> {
  const answer = new Redelivery(endpoint);
  let found = 0;
  for await (const events of pagesOf(endpoint, wish)) {
    found += events.length;
    await answer.take(events);
    await breathe(endpoint.parts.later);
  }
  if (wish.what === "delivery" && found === 0) {
    const problem = `The log holds no delivery ${JSON.stringify(wish.deliveryId)} of endpoint ${endpoint.endpoint.id}: see "earshot webhooks deliveries", or ask for everything since a time.`;
    await written(endpoint, (tables) => tables.wishes.refuse(id, problem));
  } else await answer.tell(id);
}

/** What was found of one wish: what goes again, and what is skipped, and why. */
class Redelivery {
  readonly #endpoint: Endpoint;
  readonly #seen = new Set<number>();
  readonly #added = new Map<Lane, number>();
  readonly #listed: SkippedEvent[] = [];
  #skipped = 0;
  #events = 0;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  async take(events: readonly StampedEvent[]): Promise<void> {
    const { key, parts } = this.#endpoint;
    const again: { readonly lane: Lane; readonly row: KeptEvent }[] = [];
    const superseded: number[] = [];
    for (const event of events) {
      if (this.#seen.has(event.version)) continue;
      this.#seen.add(event.version);
      const lane = this.#endpoint.lanes[laneOf(event.channel)];
      if (lane === undefined) continue; // there is one for each channel
      const reason = await this.#reasonToSkip(event, lane);
      if (reason !== undefined) this.#skip(event, reason);
      if (reason === "superseded") superseded.push(event.version);
      if (reason === undefined)
        again.push({ lane, row: { version: event.version, event: JSON.stringify(event) } });
    }
    const sinceMs = parts.clock.wallMs();
    let [revived, added]: [number, Lane[]] = [0, []];
    await written(this.#endpoint, (tables) => {
      [revived, added] = [0, []];
      for (const { lane, row } of again)
        if (tables.again.add(key, lane.number, row, sinceMs)) added.push(lane);
      // The newer state is told in its place, so they are no longer missing.
      for (const version of superseded) revived += tables.deadLetters.delete(key, version);
    });
    this.#events += again.length;
    this.#endpoint.tally.deadLetters -= revived;
    for (const lane of added) this.#added.set(lane, (this.#added.get(lane) ?? 0) + 1);
  }

  /** The lanes hear of it only now, when all of it is written down, so that they keep to the order of versions. */
  async tell(id: number): Promise<void> {
    const sinceMs = this.#endpoint.parts.clock.wallMs();
    await written(this.#endpoint, (tables) => {
      tables.wishes.answer(id, this.#events, this.#skipped, this.#listed);
      tables.wishes.deleteUpTo(id - KEPT_WISHES);
    });
    for (const [lane, count] of this.#added) lane.arrears.askAgain(count, sinceMs);
    for (const lane of this.#endpoint.lanes) {
      lane.hurry();
      lane.wake();
    }
  }

  async #reasonToSkip(event: StampedEvent, lane: Lane): Promise<SkipReason | undefined> {
    if (!this.#endpoint.wants(event)) return "unwanted";
    if (event.version > lane.backlog.cursor) return "waiting";
    if (isStateEvent(event) && (await isSuperseded(this.#endpoint, event, event.version)))
      return "superseded";
    return undefined;
  }

  #skip(event: StampedEvent, reason: SkipReason): void {
    this.#skipped++;
    if (this.#listed.length >= MAX_LISTED) return;
    const userId = "user_id" in event ? event.user_id : undefined;
    this.#listed.push({
      eventId: event.id,
      name: event.name,
      channel: event.channel,
      ...(userId === undefined ? {} : { userId }),
      reason,
    });
  }
}

/** Everything that a wish is about, some of it more than once. */
async function* pagesOf(endpoint: Endpoint, wish: RedeliveryWish): AsyncGenerator<readonly StampedEvent[]> {
  switch (wish.what) {
    case "delivery":
      yield* requests(endpoint, { deliveryId: wish.deliveryId });
      break;
    case "since":
      yield* requests(endpoint, { sinceMs: wish.sinceMs });
      yield* deadLetters(endpoint, wish.sinceMs);
      yield* entries(endpoint, wish.sinceMs);
      break;
    case "dead":
      yield* deadLetters(endpoint, wish.sinceMs ?? 0);
  }
}

async function* requests(endpoint: Endpoint, which: { deliveryId?: string; sinceMs?: number }) {
  const { store } = endpoint.parts;
  let afterSeq = 0;
  for (;;) {
    const rows = store.read((tables) =>
      tables.attempts.requests(endpoint.key, which, afterSeq, REQUESTS_AT_ONCE),
    );
    if (rows === undefined) throw new Unavailable();
    yield rows.flatMap(({ request }) => eventsOf(request));
    if (rows.length < REQUESTS_AT_ONCE) break;
    afterSeq = rows.at(-1)?.seq ?? afterSeq;
  }
}

async function* deadLetters(endpoint: Endpoint, sinceMs: number) {
  const { store } = endpoint.parts;
  let after = 0;
  for (;;) {
    const rows = store.read((tables) =>
      tables.deadLetters.after(endpoint.key, after, sinceMs, ENTRIES_AT_ONCE),
    );
    if (rows === undefined) throw new Unavailable();
    yield rows.map(({ event }): StampedEvent => JSON.parse(event)); // as it was buried
    if (rows.length < ENTRIES_AT_ONCE) break;
    after = rows.at(-1)?.version ?? after;
  }
}

/** What the outbox still has, also where the log no longer does. A version is never below the time of its event. */
async function* entries(endpoint: Endpoint, sinceMs: number) {
  const { outbox } = endpoint.parts;
  const appId = endpoint.app.id;
  let after = sinceMs * 1_000 - 1;
  for (;;) {
    const found = await outbox.read({ appId, after, limit: ENTRIES_AT_ONCE });
    yield found
      .filter((entry) => endpoint.wants(entry.event) && entry.occurredMs >= sinceMs)
      .map((entry) => stamped(appId, entry));
    if (found.length < ENTRIES_AT_ONCE) break;
    after = found.at(-1)?.version ?? after;
  }
}

/** The store is in trouble. The wish stays asked for. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

function eventsOf(request: string): StampedEvent[] {
  const webhook = parseWebhook(request);
  if (webhook instanceof UnreadableWebhook) return []; // never: it was written by us
  return webhook.events.filter((event): event is StampedEvent => event.version !== undefined);
}

async function written(endpoint: Endpoint, write: (tables: DeliveryTables) => void): Promise<void> {
  while (!endpoint.parts.store.write(write)) {
    if (!endpoint.isReady) throw new Unavailable();
    await breathe(endpoint.parts.later, RETRY_MS);
  }
}
