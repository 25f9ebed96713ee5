import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeDigest } from "@earshot/protocol/testing/node-digest";
import { parseWebhook, type SentEvent, UnreadableWebhook } from "@earshot/protocol/webhook";
import type { AppDraft, WebhookEndpoint } from "#core/app";
import { laneOf } from "#core/lane";
import type { Outbox, WebhookProgress } from "#core/ports";
import { FakeOutbox } from "#core/testing/fake-outbox";
import { FixedApps } from "#core/testing/fixed-apps";
import { settled } from "#core/testing/held-answers";
import { ManualAlarm } from "#core/testing/manual-alarm";
import { ManualClock } from "#core/testing/manual-clock";
import { SeededChance } from "#core/testing/seeded-chance";
import type { Log } from "#observe/log";
import { DeliveryLog } from "../delivery-log.ts";
import { DeliveryStore } from "../delivery-store.ts";
import type { WebhookSettings } from "../parts.ts";
import type { SendResult, WebhookRequest } from "../sender.ts";
import { Webhooks } from "../webhooks.ts";

export const APP = "4711";
export const PAIR = { key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" } as const;

const SETTINGS: WebhookSettings = {
  paceMs: 0,
  retryBaseMs: 1_000,
  retryMaxMs: 300_000,
  poisonMs: 300_000,
  giveUpMs: 86_400_000,
  maxWaiting: 1_000_000,
};

const EVERYTHING = [
  "channel_occupied",
  "channel_vacated",
  "member_added",
  "member_removed",
  "client_event",
  "cache_miss",
  "subscription_count",
] as const;

export function endpoint(over: Partial<WebhookEndpoint> = {}): WebhookEndpoint {
  return {
    id: "e1",
    url: "http://receiver.test/hooks",
    events: EVERYTHING,
    prefix: "",
    suffix: "",
    batch: true,
    headers: {},
    enabled: true,
    createdMs: 1,
    ...over,
  };
}

export function draft(...webhooks: readonly WebhookEndpoint[]): AppDraft {
  return { id: APP, keys: [{ ...PAIR, createdMs: 1, revoked: false }], webhooks };
}

/** Two channels that share a lane. */
export function namesOfLane(lane: number): [string, string] {
  const names: string[] = [];
  for (let i = 0; names.length < 2; i++) if (laneOf(`room-${i}`) === lane) names.push(`room-${i}`);
  return [names[0] ?? "", names[1] ?? ""];
}

/** One request, as its receiver sees it. */
export interface Received {
  readonly request: WebhookRequest;
  readonly timeMs: number;
  readonly events: readonly SentEvent[];
  /** `name channel` or `name channel user`, of each. */
  readonly told: readonly string[];
  readonly atMs: number;
}

type Receiver = (received: Received) => SendResult | Promise<SendResult>;

export function answered(status: number, body = ""): SendResult {
  return { answered: true, status, body, durationMs: 3 };
}

export const UNREACHABLE: SendResult = { answered: false, problem: "nobody answered", durationMs: 3 };

/** A log that keeps what it is told. */
export class KeptLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[] = [];
  readonly debug = (fields: object, message: string) => this.#keep("debug", fields, message);
  readonly info = (fields: object, message: string) => this.#keep("info", fields, message);
  readonly warn = (fields: object, message: string) => this.#keep("warn", fields, message);
  readonly error = (fields: object, message: string) => this.#keep("error", fields, message);
  readonly child = () => this;

  #keep(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields });
  }
}

/** The engine with an outbox in memory, a real store, a receiver that a test plays, and time that a test moves. */
export class Stage {
  readonly clock = new ManualClock();
  readonly outbox = new FakeOutbox(this.clock);
  readonly apps: FixedApps;
  readonly folder = mkdtempSync(join(tmpdir(), "earshot-webhooks-"));
  readonly log = new KeptLog();
  readonly received: Received[] = [];
  receiver: Receiver = () => answered(200);
  /** The outbox answers so much later; undefined: at once. */
  outboxMs: number | undefined;
  readonly settings: WebhookSettings;
  readonly chance: SeededChance;
  alarm = new ManualAlarm(this.clock);
  #store: DeliveryStore | undefined;
  #webhooks: Webhooks | undefined;
  #taken = 0;
  #life = 1;

  constructor(draft: AppDraft, settings: Partial<WebhookSettings> = {}, seed = 1) {
    this.apps = new FixedApps(draft);
    this.settings = { ...SETTINGS, ...settings };
    this.chance = new SeededChance(seed);
  }

  get file(): string {
    return join(this.folder, `deliveries-${this.#life}.db`);
  }

  get webhooks(): Webhooks {
    if (this.#webhooks === undefined) throw new Error("the webhooks do not run");
    return this.#webhooks;
  }

  get store(): DeliveryStore {
    if (this.#store === undefined) throw new Error("the webhooks do not run");
    return this.#store;
  }

  /** One life of a process. */
  async start(): Promise<this> {
    this.alarm = new ManualAlarm(this.clock);
    const { alarm, log } = this;
    this.#store = new DeliveryStore({ file: this.file, later: alarm.later, log });
    this.#webhooks = new Webhooks({
      apps: this.apps,
      outbox: this.outboxMs === undefined ? this.outbox : slow(this.outbox, alarm, this.outboxMs),
      store: this.#store,
      send: (request) => this.#receive(request, alarm),
      digest: nodeDigest,
      clock: this.clock,
      chance: this.chance,
      later: alarm.later,
      inTurn: (act) => act(),
      settings: this.settings,
      userAgent: "Earshot/1.0.0",
      log,
    });
    let hasBegun = false;
    const begun = this.#webhooks.start().then(() => {
      hasBegun = true;
    });
    await this.until(() => hasBegun);
    await begun;
    return this;
  }

  /** As `kill -9` leaves it: what was written is there, and nothing goes on. */
  kill(): void {
    const [left, webhooks, store] = [this.file, this.#webhooks, this.#store];
    this.#life++;
    for (const ending of ["", "-wal"]) {
      if (existsSync(left + ending)) copyFileSync(left + ending, this.file + ending);
    }
    this.#webhooks = undefined;
    this.#store = undefined;
    this.alarm = new ManualAlarm(this.clock); // those that were set never ring
    void webhooks?.stop(); // it never ends, because time stands still for it
    store?.close(); // whatever it writes now, it writes into a file that nobody reads
  }

  async stop(): Promise<void> {
    let hasStopped = false;
    const stopping = this.webhooks.stop().then(() => {
      hasStopped = true;
    });
    await this.until(() => hasStopped);
    await stopping;
    this.store.close();
    this.#webhooks = undefined;
    this.#store = undefined;
  }

  end(): void {
    this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Lets time pass in steps, and everybody react to what happens in each. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    await settled();
    for (let left = ms; left > 0; left -= stepMs) {
      this.alarm.advance(Math.min(left, stepMs));
      await settled();
    }
  }

  async until(isSo: () => boolean, timeoutMs = 60_000): Promise<void> {
    await settled();
    for (let waited = 0; !isSo(); waited += 10) {
      if (waited > timeoutMs) throw new Error("waited in vain");
      await this.pass(10);
    }
  }

  /** What the receiver was told since the last look, request by request. */
  async take(): Promise<(readonly string[])[]> {
    await settled();
    const fresh = this.received.slice(this.#taken);
    this.#taken = this.received.length;
    return fresh.map(({ told }) => told);
  }

  progress(endpointId = "e1"): WebhookProgress {
    const found = this.webhooks.progress(APP).find((one) => one.endpointId === endpointId);
    if (found === undefined) throw new Error(`there is no endpoint ${endpointId}`);
    return found;
  }

  /** What another process sees. */
  look<T>(see: (log: DeliveryLog) => T): T {
    const log = DeliveryLog.open(this.file);
    if (log === undefined) throw new Error("there is no log");
    try {
      return see(log);
    } finally {
      log.close();
    }
  }

  async #receive(request: WebhookRequest, alarm: ManualAlarm): Promise<SendResult> {
    if (alarm !== this.alarm) return new Promise(() => undefined); // a life that has ended
    const webhook = parseWebhook(request.body);
    if (webhook instanceof UnreadableWebhook) throw new Error(`unreadable: ${webhook.problem}`);
    const told = webhook.events.map((event) =>
      "user_id" in event
        ? `${event.name} ${event.channel} ${event.user_id}`
        : `${event.name} ${event.channel}`,
    );
    const received = { request, ...webhook, told, atMs: this.clock.monotonicMs() };
    this.received.push(received);
    return await this.receiver(received);
  }
}

/** An outbox over a network: its answers are as old as they are late. */
function slow(outbox: FakeOutbox, alarm: ManualAlarm, ms: number): Outbox {
  const late = <T>(answer: T): Promise<T> =>
    new Promise((resolve) => {
      alarm.later(ms, () => resolve(answer));
    });
  return {
    append: (appId, event) => outbox.append(appId, event),
    position: (appId) => late(outbox.position(appId)),
    lagMs: () => late(outbox.lagMs()),
    horizon: (appId) => late(outbox.horizon(appId)),
    read: (query) => late(outbox.read(query)),
    announced: (appId, channel, userId) => late(outbox.announced(appId, channel, userId)),
    snapshot: (appId, prefix, withMembers) => late(outbox.snapshot(appId, prefix, withMembers)),
    onCommitted: (listener) => outbox.onCommitted(listener),
    trim: (appId, delivered) => late(outbox.trim(appId, delivered)),
    remembered: () => late(outbox.remembered()),
    forget: (appId) => late(outbox.forget(appId)),
  };
}

/** A receiver whose answers a test gives one by one, first asked first answered. */
export class HeldReceiver {
  readonly #open: ((result: SendResult) => void)[] = [];

  readonly receive = (): Promise<SendResult> =>
    new Promise((resolve) => {
      this.#open.push(resolve);
    });

  get open(): number {
    return this.#open.length;
  }

  async answer(result: SendResult = answered(200)): Promise<void> {
    this.#open.shift()?.(result);
    await settled();
  }
}
