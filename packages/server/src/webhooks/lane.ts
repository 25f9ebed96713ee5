import { writeWebhook } from "@earshot/protocol/webhook";
import { attempt } from "#core/answer";
import type { Chance, OutboxEntry } from "#core/ports";
import type { Arrears } from "./arrears.ts";
import type { Backlog } from "./backlog.ts";
import {
  type Batch,
  lastVersion,
  newBatch,
  nextAlone,
  stamped,
  type TriedBatch,
  tried,
  versionsOf,
} from "./batch.ts";
import { type BatchRecord, parseBatchRecord, recordOf, restoreBatch } from "./batch-record.ts";
import { bury } from "./burial.ts";
import type { DeadReason } from "./delivery-log.ts";
import type { LaneRow } from "./delivery-tables.ts";
import type { LaneHost } from "./parts.ts";
import { signingPair, webhookRequest } from "./request.ts";
import { pauseMs, pauseUntilJudged } from "./retry.ts";
import type { SendResult } from "./sender.ts";
import { type Supplied, Supply } from "./supply.ts";
import { judge } from "./verdict.ts";

const MAX_BATCH_EVENTS = 20; // design: what arrives while a request is under way
const UNREADABLE_MS = 1_000; // ours: until outbox or store is asked again

type LaneState =
  | { readonly state: "idle" }
  /** Outbox or store are being asked. */
  | { readonly state: "looking" }
  | { readonly state: "sending"; readonly batch: TriedBatch }
  | { readonly state: "waiting"; readonly stopWaiting: () => void }
  /** No requests may be made. */
  | { readonly state: "paused" };

/**
 * The events of some of an endpoint's channels, strictly in order: one request in flight, and nothing else before it has
 * arrived or is given up.
 */
export class Lane {
  readonly number: number;
  readonly #host: LaneHost;
  readonly #supply: Supply;
  #state: LaneState = { state: "idle" };
  /** What is tried next, whatever else there is. */
  #hand: Batch | undefined;
  /** What was in hand when the process ended. */
  #record: BatchRecord | undefined;
  /** Attempts that failed in a row; they decide the pause. */
  #failures: number;
  /** Grows when what was found before may be sent no more. */
  #epoch = 0;
  /** The endpoint changed while a request was under way. */
  #isOutdated = false;
  #stopResting: (() => void) | undefined;
  #isClosed = false;

  constructor(host: LaneHost, row: LaneRow, head: number) {
    this.#host = host;
    this.number = row.lane;
    this.#supply = new Supply(host, row, head);
    this.#record = row.hand === undefined ? undefined : parseBatchRecord(row.hand);
    this.#failures = this.#record?.attempts ?? 0;
  }

  get backlog(): Backlog {
    return this.#supply.backlog;
  }

  get arrears(): Arrears {
    return this.#supply.arrears;
  }

  get isSending(): boolean {
    return this.#state.state === "sending";
  }

  /** Events that wait, those under way included. */
  get waiting(): number {
    return this.backlog.count + this.arrears.count;
  }

  /** Unix milliseconds at which the oldest of them happened or became owed; infinite where none waits. */
  get oldestWaitingMs(): number {
    const never = Number.POSITIVE_INFINITY;
    return Math.min(this.backlog.oldestMs ?? never, this.arrears.oldestMs ?? never);
  }

  /** A wanted event was committed. `wake` follows. */
  offer(entry: OutboxEntry): void {
    this.backlog.offer(entry);
  }

  /** Sees whether there is something to do, where nothing is being done. */
  wake(): void {
    const { state } = this.#state;
    if (state === "idle" || state === "paused") this.#proceed();
    else if (!this.#host.isOpen) this.hurry();
  }

  /** Does not wait any longer before it tries again. */
  hurry(): void {
    if (this.#state.state !== "waiting") return;
    this.#state.stopWaiting();
    this.#proceed();
  }

  /** The endpoint has changed: what is in hand is made anew, and tried as if for the first time. */
  restart(head: number): void {
    this.#epoch++;
    this.#isOutdated = this.isSending;
    this.#letGo();
    this.#failures = 0;
    this.backlog.reset(head);
    this.save();
    this.hurry();
  }

  /** What was oldest is given up. A batch in hand, or one that is being made, may hold some of it. */
  skippedTo(version: number, wanted: readonly number[]): void {
    this.#epoch++;
    this.backlog.doneTo(version, wanted);
    if (this.#hand?.source === "log") this.#letGo();
    this.save();
  }

  /** Where nothing waits, it is as far as the outbox. */
  settle(head: number): void {
    const before = this.backlog.cursor;
    this.backlog.settle(head);
    if (this.backlog.cursor !== before) this.save();
  }

  /** How it stands, with a position that is further where one is given. */
  row(cursor = this.backlog.cursor): LaneRow {
    const batch = this.#state.state === "sending" ? this.#state.batch : this.#hand;
    const { clock } = this.#host.parts;
    const record = batch === undefined ? this.#record : recordOf(batch, clock.monotonicMs(), clock.wallMs());
    const hand = record === undefined ? undefined : JSON.stringify(record);
    return { lane: this.number, cursor, isOwedDue: this.arrears.isOwedDue, hand };
  }

  save(): void {
    if (!this.#isClosed) this.#host.parts.store.laneIs(this.#host.key, this.row());
  }

  /** What comes back of a request under way counts no more. */
  close(): void {
    this.#isClosed = true;
    this.#stopResting?.();
    if (this.#state.state === "waiting") this.#state.stopWaiting();
    this.#state = { state: "paused" };
  }

  #letGo(): void {
    this.#hand = undefined;
    this.#record = undefined;
  }

  /** The next step, when the one before it has ended. */
  #proceed(): void {
    if (this.#isClosed) return;
    this.#stopResting?.();
    this.#stopResting = undefined;
    if (!this.#host.isOpen) {
      this.#state = { state: "paused" };
      this.#run(() => this.#supply.look(1)); // so that it is known how long the first of them waits
    } else if (this.#hand !== undefined) this.#send(this.#hand);
    else this.#look();
  }

  get #mostEvents(): number {
    return this.#host.endpoint.batch ? MAX_BATCH_EVENTS : 1;
  }

  #look(): void {
    this.#state = { state: "looking" };
    const epoch = this.#epoch;
    const inHand = (this.#record?.versions.length ?? 0) + (this.#record?.alone.length ?? 0);
    this.#run(() =>
      attempt(
        () => this.#supply.next(Math.max(this.#mostEvents, inHand)),
        (supplied) => this.#found(supplied, epoch),
        (problem) => {
          this.#host.failed(problem);
          this.#host.parts.later(UNREADABLE_MS, () => this.#proceed());
        },
      ),
    );
  }

  #found(supplied: Supplied | undefined, epoch: number): void {
    if (this.#isClosed) return;
    if (epoch !== this.#epoch || !this.#host.isOpen) this.#proceed();
    else if (supplied === undefined) this.#rest();
    else this.#send(this.#batchOf(supplied));
  }

  /** Owed states that wait for a success are told after a while all the same: there may be none for days. */
  #rest(): void {
    this.#state = { state: "idle" };
    this.#record = undefined; // what it was about has been settled otherwise
    if (this.arrears.owedCount === 0 && !this.#supply.isUnreadable) return;
    const { later, settings } = this.#host.parts;
    this.#stopResting = later(this.#supply.isUnreadable ? UNREADABLE_MS : settings.retryMaxMs, () => {
      this.arrears.isOwedDue = true;
      if (this.#state.state === "idle") this.#proceed();
    });
  }

  /** The batch that was in hand when the process ended, or a new one. */
  #batchOf({ source, items }: Supplied): Batch {
    const record = this.#record;
    if (record?.source === source) {
      this.#record = undefined;
      const { clock, settings } = this.#host.parts;
      const restored = restoreBatch(record, items, {
        nowMs: clock.monotonicMs(),
        wallMs: clock.wallMs(),
        longestPauseMs: settings.retryMaxMs,
      });
      if (restored !== undefined && restored.items.length <= this.#mostEvents) return restored;
    }
    return newBatch(source, items.slice(0, this.#mostEvents), this.#beginning());
  }

  #beginning() {
    const { clock, chance } = this.#host.parts;
    return { deliveryId: newDeliveryId(chance), timeMs: clock.wallMs() };
  }

  #send(waiting: Batch): void {
    const { app, endpoint, parts, key } = this.#host;
    const pair = signingPair(app);
    if (pair === undefined) return; // never: an endpoint whose app has none is not open
    const wallMs = parts.clock.wallMs();
    const batch = tried(waiting, wallMs, parts.clock.monotonicMs());
    this.#hand = undefined;
    this.#state = { state: "sending", batch };
    const request = webhookRequest({
      endpoint,
      pair,
      digest: parts.digest,
      body: writeWebhook({
        timeMs: batch.timeMs,
        events: batch.items.map((item) => stamped(app.id, item)),
      }),
      deliveryId: batch.deliveryId,
      attempt: batch.attempts,
      firstAttemptMs: batch.firstAttemptMs,
      userAgent: parts.userAgent,
    });
    this.#run(async () => {
      const result = await parts.send(request);
      if (this.#isClosed) return;
      parts.store.attempted(key, {
        deliveryId: batch.deliveryId,
        attempt: batch.attempts,
        atMs: wallMs,
        versions: versionsOf(batch.items),
        signingKey: pair.key,
        request: request.body,
        outcome: result.answered
          ? { answered: true, status: result.status, response: result.body }
          : { answered: false, problem: result.problem },
        durationMs: result.durationMs,
      });
      this.#answered(batch, result);
    });
  }

  #answered(sent: TriedBatch, result: SendResult): void {
    const { tally, parts } = this.#host;
    const verdict = judge(
      sent,
      result,
      parts.clock.monotonicMs(),
      (sinceMs) => this.#host.othersArrivedSince(this.number, sinceMs),
      parts.settings,
    );
    if (verdict.next === "arrived") {
      this.#arrived(sent);
      return;
    }
    tally.failedAttempts++;
    this.#failures++;
    if (this.#isOutdated) this.#goOnAfter(sent);
    else if (verdict.next === "retry") this.#wait(verdict.batch);
    else if (verdict.next === "alone") this.#goAlone(verdict.batch);
    else this.#bury(verdict.batch, verdict.reason, result);
  }

  #arrived(batch: Batch): void {
    const versions = versionsOf(batch.items);
    this.#host.tally.delivered += versions.length;
    this.#failures = 0;
    if (batch.source === "log") this.backlog.doneTo(lastVersion(batch.items), versions);
    if (this.arrears.count > 0) this.arrears.told(batch.source, batch.items);
    if (this.arrears.owedCount > 0) this.arrears.isOwedDue = true;
    this.#host.arrived(this.number);
    this.#goOnAfter(batch);
  }

  /** One of its events is poisonous. */
  #goAlone(batch: Batch): void {
    this.#failures = 0;
    this.#hand = nextAlone(batch.items, batch, this.#beginning());
    this.#state = { state: "idle" };
    this.save();
    this.#proceed();
  }

  #bury(batch: Batch, reason: DeadReason, result: SendResult): void {
    const problem = result.answered ? `status ${result.status}` : result.problem;
    if (!bury(this.#host, this, batch, { reason, problem })) {
      this.#wait(batch); // it cannot be written down now
      return;
    }
    if (batch.source === "log") this.backlog.doneTo(lastVersion(batch.items), versionsOf(batch.items));
    if (reason !== "gave up") this.#failures = 0;
    this.#goOnAfter(batch);
  }

  /** The batch is done with, one way or the other. */
  #goOnAfter(batch: Batch): void {
    if (!this.#isOutdated) this.#hand = nextAlone(batch.alone, batch, this.#beginning());
    this.#isOutdated = false;
    this.#state = { state: "idle" };
    this.save();
    this.#proceed();
  }

  #wait(batch: Batch): void {
    const { settings, chance, later, clock } = this.#host.parts;
    const nowMs = clock.monotonicMs();
    const { poisonMs, giveUpMs } = settings;
    const failedForMs = nowMs - (batch.failing?.sinceMs ?? nowMs);
    const pause = pauseMs(this.#failures, settings, chance);
    const inMs = pauseUntilJudged(pause, failedForMs, [poisonMs, giveUpMs]);
    this.#hand = batch;
    this.#state = { state: "waiting", stopWaiting: later(inMs, () => this.#proceed()) };
    this.save();
    if (!this.#host.isOpen) this.hurry();
  }

  /** A step that fails is a bug, or a port that broke: it is reported, and must not end the process. */
  #run(step: () => unknown): void {
    try {
      const result = step();
      if (result instanceof Promise) result.catch((problem) => this.#host.failed(problem));
    } catch (problem) {
      this.#host.failed(problem);
    }
  }
}

const ID_CHARS = 20; // ours: chance decides 80 bits
const FOUR_HEX_DIGITS = 0x10000;

function newDeliveryId(chance: Chance): string {
  let id = "";
  while (id.length < ID_CHARS) id += chance.integer(FOUR_HEX_DIGITS).toString(16).padStart(4, "0");
  return id;
}
