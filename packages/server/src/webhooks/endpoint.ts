import type { WebhookEvent } from "@earshot/protocol/webhook";
import type { App, WebhookEndpoint } from "#core/app";
import { LANES, laneOf } from "#core/lane";
import type { OutboxEntry, WebhookProgress } from "#core/ports";
import { wants } from "#core/webhook-filter";
import type { DeadReason } from "./delivery-log.ts";
import type { EndpointRow, LaneRow } from "./delivery-tables.ts";
import { Lane } from "./lane.ts";
import { giveUpOldest } from "./overflow.ts";
import { breathe, type EndpointTally, type LaneHost, type WebhooksParts } from "./parts.ts";
import { signingPair } from "./request.ts";
import { newLanes, untilWritten, writeSeeds } from "./seeding.ts";

const UNREADABLE_MS = 1_000; // ours: until outbox or store is asked again
const RELIEF_GAP_MS = 50; // ours: what is too much is looked at so often

export interface Surroundings {
  /** The newest version of the app that is known to be committed. */
  readonly head: () => number;
  readonly isStopping: () => boolean;
}

/** One endpoint of an app: its lanes, and what is counted of it. */
export class Endpoint implements LaneHost {
  readonly parts: WebhooksParts;
  readonly tally: EndpointTally = { delivered: 0, failedAttempts: 0, collapsed: 0, deadLetters: 0 };
  readonly #surroundings: Surroundings;
  #app: App;
  #endpoint: WebhookEndpoint;
  #key = 0;
  #lanes: readonly Lane[] = [];
  /** As its lanes serve it; undefined until all that it is owed from the start is written down. */
  #shape: string | undefined;
  /** Unix milliseconds at which it was found as it is now. */
  #changedMs: number;
  /** Grows with each change: a preparation that was overtaken ends. */
  #turn = 0;
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isCounting = false;
  #isRelieving = false;
  #hasKey = true;
  /** By lane, by the monotonic clock. */
  readonly #arrivedMs = new Map<number, number>();

  constructor(parts: WebhooksParts, app: App, endpoint: WebhookEndpoint, surroundings: Surroundings) {
    this.parts = parts;
    this.#app = app;
    this.#endpoint = endpoint;
    this.#surroundings = surroundings;
    this.#changedMs = parts.clock.wallMs();
    this.#lookForKey();
  }

  get key(): number {
    return this.#key;
  }

  get app(): App {
    return this.#app;
  }

  get endpoint(): WebhookEndpoint {
    return this.#endpoint;
  }

  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  /** Its lanes serve it as it is now. */
  get isReady(): boolean {
    return !this.#isClosed && this.#shape !== undefined;
  }

  get isOpen(): boolean {
    return this.isReady && this.#endpoint.enabled && this.#hasKey && !this.#surroundings.isStopping();
  }

  wants({ name, channel }: WebhookEvent): boolean {
    return wants(this.#endpoint, name, channel);
  }

  /** Takes up what the store knows of it, or makes it known to the store. Resolves when its lanes serve it. */
  begin(row: EndpointRow | undefined): Promise<void> {
    return this.#inTurn(async () => {
      if (row !== undefined) await this.#restore(row);
      await this.#adapt();
    });
  }

  /** The app, or the endpoint itself, has changed. */
  change(app: App, endpoint: WebhookEndpoint): Promise<void> {
    const before = this.#endpoint;
    this.#app = app;
    this.#endpoint = endpoint;
    this.#lookForKey();
    if (JSON.stringify(before) === JSON.stringify(endpoint)) {
      this.#wake();
      return Promise.resolve();
    }
    this.#turn++;
    this.#changedMs = this.parts.clock.wallMs();
    if (endpoint.enabled && shapeOf(endpoint) !== this.#shape) this.#shape = undefined; // what it is owed goes first
    const isJustPaused = JSON.stringify({ ...before, enabled: false }) === JSON.stringify(endpoint);
    if (!isJustPaused) for (const lane of this.#lanes) lane.restart(this.#surroundings.head());
    this.#wake();
    return this.#inTurn(() => this.#adapt());
  }

  /** In order of version. */
  committed(entries: readonly OutboxEntry[]): void {
    if (this.#lanes.length === 0) return; // they will read them
    const woken = new Set<Lane>();
    for (const entry of entries) {
      const lane = this.wants(entry.event) ? this.#lanes[laneOf(entry.event.channel)] : undefined;
      if (lane === undefined) continue;
      lane.offer(entry);
      woken.add(lane);
    }
    for (const lane of woken) lane.wake();
    if (woken.size > 0) this.#relieve();
  }

  arrived(lane: number): void {
    this.#arrivedMs.set(lane, this.parts.clock.monotonicMs());
  }

  othersArrivedSince(lane: number, sinceMs: number): boolean {
    for (const [other, atMs] of this.#arrivedMs) if (other !== lane && atMs >= sinceMs) return true;
    return false;
  }

  buried(count: number, reason: DeadReason, deliveryId: string | undefined, problem: string): void {
    this.parts.log.warn(
      {
        app: this.#app.id,
        endpoint: this.#endpoint.id,
        events: count,
        reason,
        delivery: deliveryId,
        problem,
      },
      'webhooks became dead letters: see "earshot webhooks deliveries"',
    );
  }

  failed(problem: unknown): void {
    this.parts.log.error(
      { app: this.#app.id, endpoint: this.#endpoint.id, problem: describe(problem) },
      "a step of a webhook failed",
    );
  }

  /** The outbox need not keep anything up to here for it. Undefined where that is not known yet. */
  settle(head: number): number | undefined {
    if (this.#lanes.length === 0) return undefined;
    let lowest = head;
    for (const lane of this.#lanes) {
      lane.settle(head);
      lowest = Math.min(lowest, lane.backlog.cursor);
    }
    return lowest;
  }

  progress(): WebhookProgress {
    const ofLanes = this.#lanes.map((lane) => lane.oldestWaitingMs);
    const oldestMs = Math.min(...ofLanes, this.isReady ? Number.POSITIVE_INFINITY : this.#changedMs);
    return {
      endpointId: this.#endpoint.id,
      url: this.#endpoint.url,
      enabled: this.#endpoint.enabled,
      waiting: this.#lanes.reduce((sum, lane) => sum + lane.waiting, 0),
      oldestWaitingMs: Number.isFinite(oldestMs) ? oldestMs : undefined,
      ...this.tally,
    };
  }

  /** Nothing is sent any more, and nothing that comes back counts. */
  close(): void {
    this.#isClosed = true;
    for (const lane of this.#lanes) lane.close();
  }

  /** It exists no more: all that is kept of it goes. */
  remove(): void {
    this.close();
    const key = this.#key;
    if (key !== 0) this.parts.store.soon((tables) => tables.setGone(key));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((problem) => this.failed(problem));
    return this.#work;
  }

  #isOver(turn: number): boolean {
    return this.#isClosed || turn !== this.#turn || this.#surroundings.isStopping();
  }

  #lookForKey(): void {
    const hasKey = signingPair(this.#app) !== undefined;
    if (!hasKey && this.#hasKey) {
      this.parts.log.warn(
        { app: this.#app.id, endpoint: this.#endpoint.id },
        'webhooks wait because the app has no active key: give it one with "earshot apps rotate-key"',
      );
    }
    this.#hasKey = hasKey;
  }

  #wake(): void {
    for (const lane of this.#lanes) lane.wake();
  }

  /** Sees to it that the lanes serve the endpoint as it is now. */
  async #adapt(): Promise<void> {
    const shape = shapeOf(this.#endpoint);
    if (this.#shape !== shape) {
      const mustBeTold = this.#endpoint.enabled || this.#lanes.length === 0;
      if (mustBeTold && !(await this.#prepare(shape))) return; // overtaken by a later change
      if (!mustBeTold) this.parts.store.soon((tables) => tables.setEndpoint(this.#key, shape, "ready"));
      this.#shape = shape;
    }
    this.#wake();
    this.#count();
  }

  /** Writes down what it is owed from the start. False where it was overtaken. */
  async #prepare(shape: string): Promise<boolean> {
    const turn = this.#turn;
    const isOver = () => this.#isOver(turn);
    const { store, later, outbox } = this.parts;
    const endpoint = this.#endpoint;
    this.#shape = undefined;
    const written = (write: () => boolean) => untilWritten(later, write, isOver);

    const { position, present } = await outbox.snapshot(
      this.#app.id,
      endpoint.prefix,
      endpoint.events.includes("member_added"),
    );
    if (isOver()) return false;
    const isNew = this.#lanes.length === 0;
    const begun = await written(() =>
      isNew
        ? this.#add(shape, position)
        : store.write((tables) => tables.setEndpoint(this.#key, shape, "seeding")),
    );
    if (!begun) return false;
    if (endpoint.enabled && !(await writeSeeds(this, this.#lanes, present, isOver))) return false;
    for (const lane of this.#lanes) lane.arrears.isOwedDue = true;
    return written(() =>
      store.write((tables) => {
        for (const lane of this.#lanes) tables.putLane(this.#key, lane.row());
        tables.setEndpoint(this.#key, shape, "ready");
      }),
    );
  }

  #add(shape: string, cut: number): boolean {
    const rows = newLanes(cut);
    const isWritten = this.parts.store.write((tables) => {
      this.#key = tables.addEndpoint(this.#app.id, this.#endpoint.id, shape);
      for (const row of rows) tables.putLane(this.#key, row);
    });
    if (isWritten) this.#makeLanes(rows);
    else this.#key = 0;
    return isWritten;
  }

  #makeLanes(rows: readonly LaneRow[]): void {
    this.#lanes = rows.map((row) => new Lane(this, row, this.#surroundings.head()));
  }

  async #restore({ key, shape, state }: EndpointRow): Promise<void> {
    const { store, later, outbox } = this.parts;
    const horizon = await outbox.horizon(this.#app.id);
    const head = this.#surroundings.head();
    for (;;) {
      if (this.#isOver(this.#turn)) return;
      const known = store.read((tables) => ({
        rows: tables.lanes(key),
        owed: tables.owedSums(key),
        again: tables.againSums(key),
        deadLetters: tables.deadLetterCount(key),
      }));
      if (known === undefined) {
        await breathe(later, UNREADABLE_MS);
        continue;
      }
      this.#key = key;
      this.tally.deadLetters = known.deadLetters;
      const isWhole =
        known.rows.length === LANES && known.rows.every(({ cursor }) => cursor >= horizon && cursor <= head);
      if (!isWhole) {
        this.parts.log.warn(
          { app: this.#app.id, endpoint: this.#endpoint.id },
          "outbox and deliveries do not fit together, perhaps because one of them was restored: the endpoint is told all present states",
        );
      }
      const isSame = isWhole && state === "ready" && shape === shapeOf(this.#endpoint);
      this.#shape = isWhole && state === "ready" ? shape : undefined;
      const lowest = Math.min(...known.rows.map(({ cursor }) => cursor), head);
      this.#makeLanes(
        newLanes(lowest).map((row) => {
          const found = known.rows.find(({ lane }) => lane === row.lane) ?? row;
          const cursor = Math.min(Math.max(found.cursor, horizon), Math.max(head, horizon));
          return { ...found, cursor, hand: isSame ? found.hand : undefined };
        }),
      );
      for (const { lane, count, sinceMs } of known.owed) this.#lanes[lane]?.arrears.owe(count, sinceMs);
      for (const { lane, count, sinceMs } of known.again) this.#lanes[lane]?.arrears.askAgain(count, sinceMs);
      for (const lane of this.#lanes)
        lane.arrears.isOwedDue = known.rows.find((row) => row.lane === lane.number)?.isOwedDue ?? false;
      return;
    }
  }

  /** Finds out how much waits, a little at a time. */
  #count(): void {
    if (this.#isCounting || this.#lanes.every((lane) => lane.backlog.isCounted)) return;
    this.#isCounting = true;
    const { later } = this.parts;
    const count = async () => {
      try {
        for (;;) {
          const lane = this.#lanes.find(({ backlog }) => !backlog.isCounted);
          if (lane === undefined || this.#isClosed) break;
          await lane.backlog.countOn();
          await breathe(later);
        }
      } finally {
        this.#isCounting = false;
      }
      this.#relieve();
    };
    count().catch((problem) => {
      this.failed(problem);
      later(UNREADABLE_MS, () => this.#count());
    });
  }

  get #excess(): number {
    const logged = this.#lanes.reduce((sum, lane) => sum + lane.backlog.count, 0);
    return logged - this.parts.settings.maxWaiting;
  }

  /** Gives up the oldest of what waits, where too much does. */
  #relieve(): void {
    if (this.#isRelieving || this.#excess <= 0) return;
    this.#isRelieving = true;
    const { later } = this.parts;
    const relieve = async () => {
      try {
        while (this.#excess > 0 && this.isReady) {
          if (!(await giveUpOldest(this, this.#lanes, this.#excess))) break;
          await breathe(later);
        }
      } finally {
        this.#isRelieving = false;
      }
    };
    later(RELIEF_GAP_MS, () => {
      relieve().catch((problem) => this.failed(problem));
    });
  }
}

/** Where it leads and what it wants. Where that changes, it is told all present states. */
function shapeOf({ url, events, prefix, suffix, enabled }: WebhookEndpoint): string {
  return JSON.stringify([url, [...events].sort(), prefix, suffix, enabled]);
}

function describe(problem: unknown): string {
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
}
