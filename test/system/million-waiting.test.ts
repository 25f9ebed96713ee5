/** A million events that wait for one endpoint, in the files of a real server: what that costs, and what comes of it. */
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { isStateEvent, type WebhookEvent } from "@earshot/protocol/webhook";
import { Ledger } from "../../packages/server/src/cluster/local/ledger.ts";
import type { WebhookEndpoint } from "../../packages/server/src/core/app.ts";
import type { Outbox, OutboxEntry, WebhookProgress } from "../../packages/server/src/core/ports.ts";
import { FixedApps } from "../../packages/server/src/core/testing/fixed-apps.ts";
import { settled } from "../../packages/server/src/core/testing/held-answers.ts";
import { INSTANT_DISK } from "../../packages/server/src/core/testing/instant-disk.ts";
import { ManualAlarm } from "../../packages/server/src/core/testing/manual-alarm.ts";
import { ManualClock } from "../../packages/server/src/core/testing/manual-clock.ts";
import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { silentLog } from "../../packages/server/src/observe/log.ts";
import { nativeDigest } from "../../packages/server/src/transport/digest.ts";
import { DeliveryStore } from "../../packages/server/src/webhooks/delivery-store.ts";
import type { SendResult, WebhookRequest } from "../../packages/server/src/webhooks/sender.ts";
import { Webhooks } from "../../packages/server/src/webhooks/webhooks.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const APP = "7";
const MAX_WAITING = 1_000_000;
const A_COMMIT = 2_000;
const DELIVERED = 200_000; // a fifth, for the sake of time: the others are no different
const MAX_GROWTH_BYTES = 150 * 1_048_576; // a million events as objects would be more than twice that

const ENDPOINT: WebhookEndpoint = {
  id: "e1",
  url: "http://receiver.test/",
  events: ["channel_occupied", "channel_vacated", "member_added", "member_removed", "subscription_count"],
  prefix: "",
  suffix: "",
  batch: true,
  headers: {},
  enabled: true,
  createdMs: 1,
};
const REFUSED: SendResult = { answered: false, problem: "nobody answered", durationMs: 1 };
const TAKEN: SendResult = { answered: true, status: 200, body: "", durationMs: 1 };

type Told = WebhookEvent & { readonly version: number };

/** Counts what comes, and keeps what it believes. */
class Receiver {
  isUp = false;
  moments = 0;
  readonly mistakes: string[] = [];
  /** By channel, or by channel and user. */
  readonly states = new Map<string, Told>();
  readonly #numbers = new Map<string, number>();

  readonly receive = async ({ body }: WebhookRequest): Promise<SendResult> => {
    if (!this.isUp || this.moments >= DELIVERED) return REFUSED;
    const { events }: { events: readonly Told[] } = JSON.parse(body);
    for (const event of events) this.#take(event);
    return TAKEN;
  };

  #take(event: Told): void {
    if (isStateEvent(event)) this.states.set(subjectOf(event), event);
    if (event.name !== "subscription_count") return;
    const expected = (this.#numbers.get(event.channel) ?? 0) + 1;
    if (event.subscription_count !== expected)
      this.mistakes.push(`${event.channel}: ${event.subscription_count} instead of ${expected}`);
    this.#numbers.set(event.channel, event.subscription_count);
    this.moments++;
  }
}

function subjectOf(event: WebhookEvent): string {
  return "user_id" in event ? `${event.channel} ${event.user_id}` : event.channel;
}

/** The webhooks of a server on files of its own, with time that a test moves. */
class Machine {
  readonly receiver = new Receiver();
  readonly ledger: Ledger;
  readonly store: DeliveryStore;
  readonly #clock = new ManualClock();
  readonly #alarm = new ManualAlarm(this.#clock);
  readonly #webhooks: Webhooks;
  #position = 0;
  #tell: (appId: string, entries: readonly OutboxEntry[]) => void = () => undefined;

  constructor(folder: string) {
    this.ledger = new Ledger(join(folder, "outbox.db"), INSTANT_DISK);
    this.store = new DeliveryStore({
      file: join(folder, "deliveries.db"),
      later: this.#alarm.later,
      log: silentLog,
    });
    this.#webhooks = new Webhooks({
      apps: new FixedApps({
        id: APP,
        keys: [{ key: "key", secret: "secret", createdMs: 1, revoked: false }],
        webhooks: [ENDPOINT],
      }),
      outbox: this.#outbox(),
      store: this.store,
      send: this.receiver.receive,
      digest: nativeDigest(),
      clock: this.#clock,
      chance: new SeededChance(1),
      later: this.#alarm.later,
      inTurn: (act) => act(),
      settings: {
        paceMs: 0,
        retryBaseMs: 1_000,
        retryMaxMs: 300_000,
        poisonMs: 300_000,
        giveUpMs: 86_400_000,
        maxWaiting: MAX_WAITING,
      },
      userAgent: "Earshot/1.0.0",
      log: silentLog,
    });
  }

  async start(): Promise<this> {
    let hasBegun = false;
    const begun = this.#webhooks.start().then(() => {
      hasBegun = true;
    });
    await this.until(() => hasBegun);
    await begun;
    return this;
  }

  commit(events: readonly WebhookEvent[]): void {
    this.#clock.advance(A_COMMIT / 1_000); // a version for each microsecond
    const occurredMs = this.#clock.wallMs();
    const records = events.map((event) => ({ appId: APP, event, occurredMs, subscriptions: 1 }));
    const entries = this.ledger.commit(records, occurredMs);
    this.#position = entries.at(-1)?.version ?? this.#position;
    this.#tell(APP, entries);
  }

  async until(isSo: () => boolean): Promise<void> {
    for (let turns = 0; !isSo(); turns++) {
      if (turns > 3_000) throw new Error(`waited in vain: ${JSON.stringify(this.progress)}`);
      this.#alarm.advance(100);
      await settled();
    }
  }

  get progress(): WebhookProgress {
    const [progress] = this.#webhooks.progress(APP);
    if (progress === undefined) throw new Error("there is no endpoint");
    return progress;
  }

  end(): void {
    void this.#webhooks.stop(); // it never ends, because time stands still for it
    this.store.close();
    this.ledger.close();
  }

  #outbox(): Outbox {
    return {
      append: () => false,
      position: () => this.#position,
      lagMs: () => 0,
      horizon: () => 0,
      read: (query) => this.ledger.read(query),
      announced: (appId, channel, userId) => this.ledger.announced(appId, channel, userId),
      snapshot: () => ({ position: this.#position, present: [...this.ledger.present()] }),
      onCommitted: (listener) => {
        this.#tell = listener;
        return () => undefined;
      },
      trim: () => undefined,
      remembered: () => [],
      forget: () => undefined,
    };
  }
}

let machine: Machine | undefined;

afterEach(() => {
  machine?.end();
  machine = undefined;
});

/** Of each of a hundred channels and members fifty changes, of odd ones one less: those are there in the end. */
function earlyStates(): WebhookEvent[] {
  return Array.from({ length: 50 }, (_, round) =>
    Array.from({ length: 100 }, (_, number) => number).flatMap((number): WebhookEvent[] => {
      if (round === 49 && number % 2 === 1) return [];
      const [channel, user_id] = [`room-${number}`, `u-${number}`];
      if (round % 2 === 1)
        return [
          { name: "channel_vacated", channel },
          { name: "member_removed", channel: "presence-room", user_id },
        ];
      return [
        { name: "channel_occupied", channel },
        { name: "member_added", channel: "presence-room", user_id },
      ];
    }),
  ).flat();
}

/** Numbered within each of a thousand channels. */
function moments(prefix: string, count: number, from = 0): WebhookEvent[] {
  return Array.from({ length: count }, (_, index): WebhookEvent => {
    const number = from + index;
    const channel = `${prefix}-${number % 1_000}`;
    return { name: "subscription_count", channel, subscription_count: Math.floor(number / 1_000) + 1 };
  });
}

test("a million wait in little memory, the oldest beyond give way, and what arrives ends right", async () => {
  machine = await new Machine(temporaryFolder()).start();
  const { receiver, ledger, store } = machine;
  Bun.gc(true);
  const beforeBytes = process.memoryUsage.rss();
  const states = earlyStates();
  const early = [...moments("early", 5_000), ...states, ...moments("early", 5_000, 5_000)];
  machine.commit(early);
  const [firstLate = 0] = ledger.apps().map(({ version }) => version + 1);
  for (let from = 0; from < MAX_WAITING; from += A_COMMIT) machine.commit(moments("late", A_COMMIT, from));
  expect(machine.progress.waiting).toBe(MAX_WAITING + early.length);

  await machine.until(() => machine?.progress.deadLetters === 10_000);
  await machine.until(() => machine?.progress.collapsed === states.length);
  const dead = store.read((tables) => tables.deadLetters.after(1, 0, 0, MAX_WAITING)) ?? [];
  expect(dead).toHaveLength(10_000);
  expect(dead.at(-1)?.version).toBeLessThan(firstLate);
  expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(MAX_GROWTH_BYTES);

  receiver.isUp = true;
  await machine.until(() => receiver.moments >= DELIVERED);
  expect(receiver.mistakes).toEqual([]);
  expect(receiver.states.size).toBe(200);
  for (const event of receiver.states.values()) {
    const userId = "user_id" in event ? event.user_id : undefined;
    expect(ledger.announced(APP, event.channel, userId)).toMatchObject({
      isPresent: event.name === "channel_occupied" || event.name === "member_added",
      version: event.version,
    });
  }
  const { waiting, delivered } = machine.progress;
  expect(waiting).toBe(MAX_WAITING - receiver.moments);
  expect(delivered).toBe(receiver.moments + 200);
  expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(MAX_GROWTH_BYTES);
});
