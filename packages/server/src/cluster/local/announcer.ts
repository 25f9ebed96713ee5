import type { MomentEvent } from "@earshot/protocol/webhook";
import { type Change, Differences, type Subject, subjectKey } from "#core/occupancy";
import type { Announced, Clock, Outbox, OutboxEntry, OutboxQuery, Snapshot } from "#core/ports";
import type { Ledger, LedgerRecord } from "./ledger.ts";

const MAX_HELD_PER_APP = 10_000; // ours: events about moments, while the ledger cannot be written
const MAX_CHANGES_A_COMMIT = 2_000; // ours: about 20 ms; a restart may have 100,000 channels to announce
const REST_AFTER_WRITING = 4; // ours: so that it takes at most a fifth of the process
const MAX_REST_MS = 1_000;
const RETRY_MS = 500;
const SLOW_FLUSH_MS = 2_000; // ours: then the disk is in trouble, and readiness says so
const KEPT_ENTRIES = 100_000;
const KEPT_ENTRIES_MS = 600_000;
const KEPT_GONE = 1_000_000; // ours: an endpoint that was away is told that a channel is vacant
const KEPT_GONE_MS = 7 * 86_400_000; // ours
const TRIMMED_AT_ONCE = 1_000; // ours: about two milliseconds
const TRIM_PAUSE_MS = 20;

/** What the monitoring sees of the outbox. */
export interface OutboxHealth {
  /** Events about moments that wait to be written. */
  readonly held: number;
  /** Of those, how many were given up since the start, because too many waited. */
  readonly dropped: number;
  /** Why it cannot be written, or undefined where it can. */
  readonly problem: string | undefined;
}

export interface AnnouncerParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Returns the way out. */
  readonly later: (ms: number, act: () => void) => () => void;
  readonly vacatedDelayMs: number;
  readonly commitGapMs: number;
  /** Subscriptions of a channel as they are now. */
  readonly subscriptions: (appId: string, channel: string) => number;
  /** Told when writing fails for the first time, and when it works again. */
  readonly trouble: (problem: unknown) => void;
  readonly recovered: () => void;
}

interface AppState {
  position: number;
  horizon: number;
  held: number;
  /** By subject. */
  readonly present: Map<string, Announced>;
}

/** Makes *announced* follow *actual* in one process, and is its outbox: one group commit for all that happened meanwhile. */
export class LocalAnnouncer implements Outbox {
  readonly #parts: AnnouncerParts;
  readonly #differences: Differences;
  readonly #apps = new Map<string, AppState>();
  readonly #listeners = new Set<(appId: string, entries: readonly OutboxEntry[]) => void>();
  #moments: LedgerRecord[] = [];
  /** Written, and not told yet because a power failure could take it. */
  #unflushed: OutboxEntry[] = [];
  /** What they announce, by subject. */
  readonly #written = new Map<string, boolean>();
  /** Monotonic milliseconds since which the oldest arrival among it waits. */
  #unflushedSinceMs: number | undefined;
  #isFlushing = false;
  #dropped = 0;
  #problem: string | undefined;
  #nextCommitMs = Number.NEGATIVE_INFINITY;
  #alarm: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #isClosed = false;

  constructor(parts: AnnouncerParts) {
    this.#parts = parts;
    this.#differences = new Differences(parts);
    for (const { appId, version, trimmed } of parts.ledger.apps()) {
      this.#apps.set(appId, { position: version, horizon: trimmed, held: 0, present: new Map() });
    }
    const channels: Subject[] = [];
    for (const announced of parts.ledger.present()) {
      this.#app(announced.appId).present.set(subjectKey(announced), announced);
      if (announced.userId === undefined) channels.push(announced);
      else this.#differences.compare(subjectOf(announced), false, true);
    }
    for (const channel of channels) this.#differences.compare(subjectOf(channel), false, true);
  }

  /** The server listens: clients have so long to come back. */
  settleFor(ms: number): void {
    this.#differences.settleFor(ms);
    this.#wake();
  }

  /** *Actual* changed between nobody and somebody. */
  changed(appId: string, channel: string, userId: string | undefined, isPresent: boolean): void {
    if (channel.startsWith("#")) return; // the protocol's own channels are told to nobody
    const subject = userId === undefined ? { appId, channel } : { appId, channel, userId };
    const key = subjectKey(subject);
    const isAnnounced = this.#written.get(key) ?? this.#apps.get(appId)?.present.has(key) === true;
    this.#differences.compare(subject, isPresent, isAnnounced);
    this.#wake();
  }

  append(appId: string, event: MomentEvent): boolean {
    const app = this.#app(appId);
    if (app.held >= MAX_HELD_PER_APP || this.#isClosed) {
      this.#dropped++;
      return false;
    }
    app.held++;
    this.#moments.push({ appId, event, occurredMs: this.#parts.clock.wallMs(), subscriptions: 0 });
    this.#wake();
    return true;
  }

  position(appId: string): number {
    return this.#apps.get(appId)?.position ?? 0;
  }

  lagMs(): number {
    const sinceMs = this.#unflushedSinceMs ?? this.#differences.oldestArrivalMs;
    return sinceMs === undefined ? 0 : this.#parts.clock.monotonicMs() - sinceMs;
  }

  horizon(appId: string): number {
    return this.#apps.get(appId)?.horizon ?? 0;
  }

  read(query: OutboxQuery): readonly OutboxEntry[] {
    const position = this.position(query.appId);
    return this.#parts.ledger.read(query).filter(({ version }) => version <= position);
  }

  announced(appId: string, channel: string, userId?: string): Announced | undefined {
    const subject = userId === undefined ? { appId, channel } : { appId, channel, userId };
    const present = this.#apps.get(appId)?.present.get(subjectKey(subject));
    const known = present ?? this.#parts.ledger.announced(appId, channel, userId);
    return known !== undefined && known.version <= this.position(appId) ? known : undefined;
  }

  snapshot(appId: string, prefix: string, withMembers: boolean): Snapshot {
    const app = this.#apps.get(appId);
    const present: Announced[] = [];
    for (const announced of app?.present.values() ?? []) {
      if (!announced.channel.startsWith(prefix)) continue;
      if (withMembers || announced.userId === undefined) present.push(announced);
    }
    return { position: app?.position ?? 0, present };
  }

  onCommitted(listener: (appId: string, entries: readonly OutboxEntry[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async trim(appId: string, delivered: number): Promise<void> {
    const { ledger, clock } = this.#parts;
    const limit = TRIMMED_AT_ONCE;
    for (let isDone = false; !isDone && !this.#isClosed; await this.#pause(isDone)) {
      const beforeVersion = (clock.wallMs() - KEPT_ENTRIES_MS) * 1_000;
      const trimmed = ledger.trim(appId, { delivered, beforeVersion, keep: KEPT_ENTRIES, limit });
      const app = this.#app(appId);
      app.horizon = Math.max(app.horizon, trimmed.trimmed ?? 0);
      isDone = trimmed.isDone;
    }
    for (let isDone = false; !isDone && !this.#isClosed; await this.#pause(isDone)) {
      const beforeVersion = (clock.wallMs() - KEPT_GONE_MS) * 1_000;
      isDone = ledger.trimGone(appId, { beforeVersion, keep: KEPT_GONE, limit });
    }
  }

  remembered(): readonly string[] {
    return this.#parts.ledger.remembered();
  }

  /** What an app of the same id announces from now on stays. */
  async forget(appId: string): Promise<void> {
    this.#differences.forget(appId);
    const app = this.#app(appId);
    this.#moments = this.#moments.filter((moment) => moment.appId !== appId);
    app.held = 0;
    app.present.clear();
    const upTo = this.#unflushed.findLast((entry) => entry.appId === appId)?.version ?? app.position;
    this.#unflushed = this.#unflushed.filter((entry) => entry.appId !== appId);
    for (const key of this.#written.keys()) if (key.startsWith(`${appId}/`)) this.#written.delete(key);
    app.position = upTo;
    app.horizon = upTo;
    for (let isDone = false; !isDone && !this.#isClosed; await this.#pause(isDone))
      isDone = this.#parts.ledger.forget(appId, upTo, TRIMMED_AT_ONCE);
  }

  get health(): OutboxHealth {
    return { held: this.#moments.length, dropped: this.#dropped, problem: this.#problem };
  }

  /**
   * A planned stop has begun: nothing is announced vacant or removed any more. The mark for the next process is made at
   * once, because clients are sent away from now on, and somebody may lose patience with us.
   */
  beQuiet(): void {
    this.#differences.beQuiet();
    try {
      this.#parts.ledger.markPlannedStop();
    } catch (problem) {
      this.#fail(problem);
    }
  }

  /** Writes and tells what is due. The ledger can be closed afterwards. */
  stop(): void {
    this.#alarm?.cancel();
    this.#isClosed = true;
    try {
      while (this.#write());
      this.#parts.ledger.flushNow();
      this.#tell();
    } catch (problem) {
      this.#fail(problem);
    }
  }

  /** Sees to it that a commit comes when the next change falls due, and not sooner than the gap after the last one. */
  #wake(): void {
    if (this.#isClosed || this.#isFlushing || this.#problem !== undefined) return; // then it is woken again
    const dueMs = this.#moments.length > 0 ? this.#parts.clock.monotonicMs() : this.#differences.nextDueMs;
    if (dueMs !== undefined) this.#setAlarm(Math.max(dueMs, this.#nextCommitMs));
  }

  #setAlarm(atMs: number): void {
    if (this.#alarm !== undefined && this.#alarm.atMs <= atMs) return;
    this.#alarm?.cancel();
    const inMs = Math.max(0, atMs - this.#parts.clock.monotonicMs());
    const cancel = this.#parts.later(inMs, () => {
      this.#alarm = undefined;
      this.#commit();
      this.#wake();
    });
    this.#alarm = { atMs, cancel };
  }

  /** One group: it is written, the disk is waited for, it is told. What happens meanwhile is the next one. */
  #commit(): void {
    if (this.#isFlushing) return;
    try {
      this.#write();
    } catch (problem) {
      this.#fail(problem);
      return;
    }
    if (this.#unflushed.length === 0) {
      this.#unflushedSinceMs = undefined;
      if (this.#problem !== undefined) this.#recover(); // what could not be written has become needless
      return;
    }
    this.#isFlushing = true;
    const isSlow = () => this.#fail(`the disk has not answered for ${SLOW_FLUSH_MS} ms`);
    const cancel = this.#parts.later(SLOW_FLUSH_MS, isSlow);
    this.#parts.ledger.flush((problem) => {
      cancel();
      this.#isFlushing = false;
      if (this.#isClosed) return;
      if (problem !== undefined) this.#fail(problem);
      else this.#durable();
    });
  }

  #durable(): void {
    if (this.#problem !== undefined) this.#recover();
    this.#wake();
    this.#tell();
  }

  /**
   * Returns whether there was anything.
   *
   * @throws what SQLite says
   */
  #write(): boolean {
    const { arrivals, departures } = this.#differences.due(MAX_CHANGES_A_COMMIT);
    const moments = this.#moments.slice(0, MAX_CHANGES_A_COMMIT);
    const records = [...arrivals.map(this.#recordOf), ...moments, ...departures.map(this.#recordOf)];
    if (records.length === 0) return false;
    const beganMs = this.#parts.clock.monotonicMs();
    const oldestArrivalMs = this.#differences.oldestArrivalMs;
    const entries = this.#parts.ledger.commit(records, this.#parts.clock.wallMs());
    this.#moments = this.#moments.slice(moments.length);
    for (const { appId } of moments) this.#app(appId).held--;
    for (const change of [...arrivals, ...departures]) {
      this.#differences.settled(change);
      this.#written.set(subjectKey(change), change.isPresent);
    }
    this.#unflushed.push(...entries);
    this.#unflushedSinceMs ??= oldestArrivalMs;
    const endedMs = this.#parts.clock.monotonicMs();
    const restMs = Math.min(MAX_REST_MS, (endedMs - beganMs) * REST_AFTER_WRITING);
    this.#nextCommitMs = endedMs + Math.max(this.#parts.commitGapMs, restMs);
    return true;
  }

  #tell(): void {
    const entries = this.#unflushed;
    this.#unflushed = [];
    this.#unflushedSinceMs = undefined;
    this.#written.clear();
    const byApp = Map.groupBy(entries, (entry) => entry.appId);
    for (const [appId, own] of byApp) this.#remember(appId, own);
    for (const [appId, own] of byApp) for (const listener of this.#listeners) listener(appId, own);
  }

  /** Who is gone became so for the outside only now: since when they are away is nobody's lag. */
  readonly #recordOf = ({ appId, channel, userId, isPresent, ...change }: Change): LedgerRecord => {
    const occurredMs = isPresent ? change.occurredMs : this.#parts.clock.wallMs();
    const subscriptions = this.#parts.subscriptions(appId, channel);
    if (userId === undefined) {
      const name = isPresent ? "channel_occupied" : "channel_vacated";
      return { appId, event: { name, channel }, occurredMs, subscriptions };
    }
    const name = isPresent ? "member_added" : "member_removed";
    return { appId, event: { name, channel, user_id: userId }, occurredMs, subscriptions };
  };

  #remember(appId: string, entries: readonly OutboxEntry[]): void {
    const app = this.#app(appId);
    for (const entry of entries) {
      app.position = entry.version;
      const announced = announcedOf(entry);
      if (announced === undefined) continue;
      const key = subjectKey({ appId, ...announced });
      app.present.delete(key); // so that the order stays that of the versions
      if (announced.isPresent) app.present.set(key, announced);
    }
  }

  #recover(): void {
    this.#problem = undefined;
    this.#differences.keepVisits(true);
    this.#parts.recovered();
  }

  #fail(problem: unknown): void {
    if (this.#problem === undefined) this.#parts.trouble(problem);
    this.#differences.keepVisits(false);
    this.#problem = problem instanceof Error ? problem.message : String(problem);
    if (!this.#isClosed) this.#setAlarm(this.#parts.clock.monotonicMs() + RETRY_MS);
  }

  #app(appId: string): AppState {
    const found = this.#apps.get(appId);
    if (found !== undefined) return found;
    const app: AppState = { position: 0, horizon: 0, held: 0, present: new Map() };
    this.#apps.set(appId, app);
    return app;
  }

  async #pause(isLast: boolean): Promise<void> {
    if (!isLast) await new Promise<void>((resolve) => this.#parts.later(TRIM_PAUSE_MS, resolve));
  }
}

function subjectOf({ appId, channel, userId }: Subject): Subject {
  return userId === undefined ? { appId, channel } : { appId, channel, userId };
}

/** What an entry announces, where it tells a state. */
function announcedOf({ event, version, occurredMs, subscriptions }: OutboxEntry): Announced | undefined {
  const known = { channel: event.channel, version, occurredMs, subscriptions };
  switch (event.name) {
    case "channel_occupied":
    case "channel_vacated":
      return { ...known, isPresent: event.name === "channel_occupied" };
    case "member_added":
    case "member_removed":
      return { ...known, userId: event.user_id, isPresent: event.name === "member_added" };
    default:
      return undefined;
  }
}
