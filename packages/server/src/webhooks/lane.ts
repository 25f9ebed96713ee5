import { attempt } from "#core/answer";
import type { OutboxEntry } from "#core/ports";
import type { ArrearSums, Arrears } from "./arrears.ts";
import { makeAttempt, newDeliveryId } from "./attempt.ts";
import type { Backlog } from "./backlog.ts";
import { type Batch, lastVersion, type TriedBatch, tried, versionsOf } from "./batch.ts";
import { bury } from "./burial.ts";
import type { DeadReason } from "./delivery-log.ts";
import type { LaneRow } from "./endpoint-table.ts";
import { Hand } from "./hand.ts";
import type { LaneHost } from "./parts.ts";
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
  /** It has just sent, and less than a batch has come since. */
  | { readonly state: "pacing"; readonly stopWaiting: () => void }
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
  readonly #hand: Hand;
  /** Attempts that failed in a row; they decide the pause. */
  #failures: number;
  /** Grows when what was found before may be sent no more. */
  #epoch = 0;
  /** The endpoint changed while a request was under way. */
  #isOutdated = false;
  #stopResting: (() => void) | undefined;
  /** Owed states have died: from then on they have one attempt each time, so that nothing waits for them. */
  #owedDiedMs: number | undefined;
  /** Monotonic milliseconds at which the last request began. */
  #sentMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  /** @param head the newest version that is known to be committed; what comes after it is offered */
  constructor(host: LaneHost, row: LaneRow, sums: ArrearSums, head: number) {
    this.#host = host;
    this.number = row.lane;
    this.#supply = new Supply(host, row, sums, head);
    const { clock, chance, settings } = host.parts;
    this.#hand = new Hand({
      clock,
      newDeliveryId: () => newDeliveryId(chance),
      longestPauseMs: settings.retryMaxMs,
      written: row.hand,
    });
    this.#failures = this.#hand.recordedAttempts;
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

  /** It looks for itself what there is, when it has done what it is doing. */
  get isBusy(): boolean {
    return this.#state.state === "sending" || this.#state.state === "looking";
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
    else if (!this.#host.isOpen || (state === "pacing" && this.#paceLeftMs <= 0)) this.hurry();
  }

  /** Does not wait any longer before it tries again. */
  hurry(): void {
    if (this.#state.state !== "waiting" && this.#state.state !== "pacing") return;
    this.#state.stopWaiting();
    this.#state = { state: "idle" };
    this.#proceed();
  }

  /** The endpoint has changed: what is in hand is made anew, and tried as if for the first time. */
  restart(head: number): void {
    this.#epoch++;
    this.#isOutdated = this.isSending;
    this.#hand.letGo();
    this.#failures = 0;
    this.backlog.reset(head);
    this.save();
    this.hurry();
  }

  /** What was oldest is given up. A batch in hand, or one that is being made, may hold some of it. */
  skippedTo(version: number, wanted: readonly number[]): void {
    this.#epoch++;
    this.backlog.doneTo(version, wanted);
    if (this.#hand.batch?.source === "log") this.#hand.letGo();
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
    const underWay = this.#state.state === "sending" ? this.#state.batch : undefined;
    const hand = this.#hand.text(underWay);
    return { lane: this.number, cursor, isOwedDue: this.arrears.isOwedDue, hand };
  }

  save(): void {
    if (!this.#isClosed) this.#host.parts.store.laneIs(this.#host.key, this.row());
  }

  /** What comes back of a request under way counts no more. */
  close(): void {
    this.#isClosed = true;
    this.#stopResting?.();
    if (this.#state.state === "waiting" || this.#state.state === "pacing") this.#state.stopWaiting();
    this.#state = { state: "paused" };
  }

  /** The next step, when the one before it has ended. */
  #proceed(): void {
    if (this.#isClosed) return;
    this.#stopResting?.();
    this.#stopResting = undefined;
    if (!this.#host.isOpen) {
      this.#state = { state: "paused" };
      this.#run(() => this.#supply.look(1)); // so that it is known how long the first of them waits
    } else if (this.#hand.batch !== undefined) this.#send(this.#hand.batch);
    else if (this.#paceLeftMs > 0) this.#pace(this.#paceLeftMs);
    else this.#look();
  }

  /** A lane that was idle sends at once; one that has just sent lets a little more come together, where that is wanted. */
  get #paceLeftMs(): number {
    if (!this.#host.endpoint.batch || this.waiting === 0 || this.waiting >= MAX_BATCH_EVENTS) return 0;
    const { clock, settings } = this.#host.parts;
    return this.#sentMs + settings.paceMs - clock.monotonicMs();
  }

  #pace(ms: number): void {
    const { later, inTurn } = this.#host.parts;
    const pacing: LaneState = { state: "pacing", stopWaiting: later(ms, () => inTurn(goOn)) };
    const goOn = () => {
      if (this.#state === pacing) this.hurry();
    };
    this.#state = pacing;
  }

  get #mostEvents(): number {
    return this.#host.endpoint.batch ? MAX_BATCH_EVENTS : 1;
  }

  #look(): void {
    this.#state = { state: "looking" };
    const epoch = this.#epoch;
    this.#run(() =>
      attempt(
        () => this.#supply.next(Math.max(this.#mostEvents, this.#hand.recordedEvents)),
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
    else this.#send(this.#hand.take(supplied, this.#mostEvents));
  }

  /** Owed states that wait for a success are told after a while all the same: there may be none for days. */
  #rest(): void {
    if (this.#supply.hasMore) {
      this.#look(); // it came while the answer was on its way
      return;
    }
    this.#state = { state: "idle" };
    if (this.arrears.count === 0) {
      this.#hand.letGo(); // what was in hand before is settled otherwise
      return;
    }
    const { later, settings } = this.#host.parts;
    const { isUnreadable } = this.#supply;
    this.#stopResting = later(isUnreadable ? UNREADABLE_MS : settings.retryMaxMs, () => {
      if (!isUnreadable) this.arrears.isOwedDue = true;
      if (this.#state.state === "idle") this.#proceed();
    });
  }

  #send(waiting: Batch): void {
    const { clock } = this.#host.parts;
    const batch = tried(waiting, clock.wallMs(), clock.monotonicMs());
    this.#hand.release();
    this.#sentMs = clock.monotonicMs();
    this.#state = { state: "sending", batch };
    this.#run(async () => {
      const { result, row } = await makeAttempt(this.#host, batch);
      if (this.#isClosed) return;
      this.#host.parts.store.attempted(this.#host.key, row);
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
    else if (sent.source === "owed" && this.#owedDiedMs !== undefined) this.#putBack(sent);
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
    if (batch.source === "owed") this.#owedDiedMs = undefined;
    if (this.arrears.owedCount > 0 && !this.#hasOwedDiedLately) this.arrears.isOwedDue = true;
    this.#host.arrived(this.number);
    this.#goOnAfter(batch);
  }

  get #hasOwedDiedLately(): boolean {
    const { clock, settings } = this.#host.parts;
    return this.#owedDiedMs !== undefined && clock.monotonicMs() - this.#owedDiedMs < settings.retryMaxMs;
  }

  /** Owed states that were refused before are refused still. They stay owed, and hold up nothing. */
  #putBack(batch: Batch): void {
    this.#failures = 0;
    this.#owedDiedMs = this.#host.parts.clock.monotonicMs();
    this.arrears.isOwedDue = false;
    this.#goOnAfter({ ...batch, alone: [] });
  }

  /** One of its events is poisonous. */
  #goAlone(batch: Batch): void {
    this.#failures = 0;
    this.#hand.takeApart(batch);
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
    if (batch.source === "owed") this.#owedDiedMs = this.#host.parts.clock.monotonicMs();
    if (reason !== "gave up") this.#failures = 0;
    this.#goOnAfter(batch);
  }

  /** The batch is done with, one way or the other. */
  #goOnAfter(batch: Batch): void {
    if (!this.#isOutdated) this.#hand.goOn(batch);
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
    this.#hand.keep(batch);
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
