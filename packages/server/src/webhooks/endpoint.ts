import type { WebhookEvent } from "@earshot/protocol/webhook";
import type { App, WebhookEndpoint } from "#core/app";
import { laneOf } from "#core/lane";
import type { OutboxEntry, WebhookProgress } from "#core/ports";
import { wants } from "#core/webhook-filter";
import { NO_ARREARS } from "./arrears.ts";
import { Census } from "./census.ts";
import type { DeadReason } from "./delivery-log.ts";
import type { EndpointRow } from "./endpoint-table.ts";
import { Lane } from "./lane.ts";
import { breathe, type EndpointTally, type LaneHost, type WebhooksParts } from "./parts.ts";
import { signingPair } from "./request.ts";
import { type KnownLane, readLanes } from "./restoring.ts";
import { newLanes, prepare } from "./seeding.ts";

const UNREADABLE_MS = 1_000; // ours: until outbox or store is asked again

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
  readonly #census: Census;
  /** Lanes whose turn will come. */
  readonly #toWake = new Set<Lane>();
  #hasKey = true;
  /** By lane, by the monotonic clock. */
  readonly #arrivedMs = new Map<number, number>();

  constructor(parts: WebhooksParts, app: App, endpoint: WebhookEndpoint, surroundings: Surroundings) {
    this.parts = parts;
    this.#app = app;
    this.#endpoint = endpoint;
    this.#surroundings = surroundings;
    this.#changedMs = parts.clock.wallMs();
    this.#census = new Census(this);
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
    for (const lane of woken) this.#wakeInTurn(lane);
    if (woken.size > 0) this.#census.relieve();
  }

  #wakeInTurn(lane: Lane): void {
    if (lane.isBusy || this.#toWake.has(lane)) return;
    this.#toWake.add(lane);
    this.parts.inTurn(() => {
      this.#toWake.delete(lane);
      lane.wake();
    });
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
    this.parts.log.error({ ...this.#fields, problem: describe(problem) }, "a step of a webhook failed");
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
    if (key !== 0) this.parts.store.soon((tables) => tables.endpoints.setGone(key));
  }

  /** Behind what was begun before, and once more where it fails because something cannot be read. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const untilDone = async () => {
      for (;;) {
        try {
          await work();
          return;
        } catch (problem) {
          this.failed(problem);
          await breathe(this.parts.later, UNREADABLE_MS);
        }
        if (this.#isOver(this.#turn)) return;
      }
    };
    this.#work = this.#work.then(untilDone);
    return this.#work;
  }

  #isOver(turn: number): boolean {
    return this.#isClosed || turn !== this.#turn || this.#surroundings.isStopping();
  }

  #lookForKey(): void {
    const hasKey = signingPair(this.#app) !== undefined;
    if (!hasKey && this.#hasKey) {
      this.parts.log.warn(
        this.#fields,
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
      const turn = this.#turn;
      this.#shape = undefined;
      const mustBeTold = this.#endpoint.enabled || this.#lanes.length === 0;
      const enrol = (cut: number) => this.#add(shape, cut);
      if (mustBeTold && !(await prepare(this, shape, enrol, () => this.#isOver(turn)))) return;
      if (!mustBeTold) this.parts.store.soon((tables) => tables.endpoints.set(this.#key, shape, "ready"));
      this.#shape = shape;
    }
    this.#wake();
    this.#census.count();
  }

  #add(shape: string, cut: number): boolean {
    const rows = newLanes(cut);
    const isWritten = this.parts.store.write((tables) => {
      this.#key = tables.endpoints.add(this.#app.id, this.#endpoint.id, shape);
      for (const row of rows) tables.endpoints.putLane(this.#key, row);
    });
    if (isWritten) this.#makeLanes(rows.map((row) => ({ row, sums: NO_ARREARS })));
    else this.#key = 0;
    return isWritten;
  }

  #makeLanes(known: readonly KnownLane[]): void {
    this.#lanes = known.map(({ row, sums }) => new Lane(this, row, sums, this.#surroundings.head()));
  }

  async #restore(row: EndpointRow): Promise<void> {
    const known = await readLanes(this.parts, row, this.#surroundings.head, () => this.#isOver(this.#turn));
    if (known === undefined) return;
    const isSame = known.isWhole && row.state === "ready" && row.shape === shapeOf(this.#endpoint);
    if (!known.isWhole) {
      this.parts.log.warn(
        this.#fields,
        "outbox and deliveries do not fit together, perhaps because one of them was restored: the endpoint is told all present states",
      );
    }
    this.#key = row.key;
    this.#shape = known.isWhole && row.state === "ready" ? row.shape : undefined;
    this.tally.deadLetters = known.deadLetters;
    const forgetful = ({ row, sums }: KnownLane) => ({ row: { ...row, hand: undefined }, sums });
    this.#makeLanes(isSame ? known.lanes : known.lanes.map(forgetful));
  }

  get #fields() {
    return { app: this.#app.id, endpoint: this.#endpoint.id };
  }
}

/** Where it leads and what it wants. Where that changes, it is told all present states. */
function shapeOf({ url, events, prefix, suffix, enabled }: WebhookEndpoint): string {
  return JSON.stringify([url, [...events].sort(), prefix, suffix, enabled]);
}

function describe(problem: unknown): string {
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
}
