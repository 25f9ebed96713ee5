import { Buffer } from "node:buffer";
import type { Change } from "../change.ts";
import { addCounts, type Counters, NO_COUNTS } from "../counters.ts";
import type { Settings } from "../settings.ts";
import type { Done, GateStore, Next, Proof, Pulse, Store, StoreContext, Verdict } from "../store.ts";
import type { Time } from "../time.ts";
import { ChannelRow } from "./channel-row.ts";
import { Kept } from "./kept.ts";

const MEMBERS_AT_ONCE = 1_000; // ours

/**
 * Keeps what is known in this process. For a process that both hears of the changes and publishes: the webhooks' receiver, or,
 * with the stream as feed, any. What is kept is sent by `close`.
 */
export function memoryStore(): GateStore {
  return { open: (context) => new MemoryStore(context) };
}

/** @see Store for the guarantees */
class MemoryStore implements Store {
  readonly name = undefined;
  readonly #settings: Settings;
  readonly #time: Time;
  readonly #isTrusted: boolean;
  readonly #announces: () => boolean;
  readonly #rows = new Map<string, ChannelRow>();
  readonly #kept = new Kept();
  readonly #draining = new Set<string>();
  #ids = 0;
  #floor = 0;
  #isReady = false;
  #beatMs = Number.NEGATIVE_INFINITY;
  #serverOffsetMs: number | undefined;
  #repair = 0;
  #counters = NO_COUNTS;

  constructor({ settings, time, isTrusted, announces }: StoreContext) {
    this.#settings = settings;
    this.#time = time;
    this.#isTrusted = isTrusted;
    this.#announces = announces;
  }

  async offer(channel: string, text: string): Promise<Verdict> {
    const row = this.#rows.get(channel);
    const bytes = Buffer.byteLength(text);
    if (row?.isDraining) return this.#queue(row, text, bytes, false);
    if (!this.#isFresh()) {
      if (row === undefined || row.length === 0) return this.#pass();
      this.#startDrain(channel, row);
      return this.#queue(row, text, bytes, true);
    }
    if (row?.isOccupied) {
      this.count({ sent: 1 });
      return { state: "member" };
    }
    return this.#keep(channel, row ?? this.#newRow(channel), text, bytes);
  }

  async apply(changes: readonly Change[]): Promise<readonly string[]> {
    return changes.filter((change) => this.#applyOne(change)).map(({ channel }) => channel);
  }

  async next(channel: string, done?: Done): Promise<Next> {
    const row = this.#rows.get(channel);
    if (row === undefined || !row.isDraining) return { kind: "over" };
    if (done !== undefined) this.#finish(row, done);
    row.isClaimed = true;
    const next = row.first();
    if (next.kind === "over") {
      row.isDraining = false;
      row.isClaimed = false;
      this.#draining.delete(channel);
      this.#forget(channel, row);
    }
    return next;
  }

  async release(channel: string): Promise<void> {
    const row = this.#rows.get(channel);
    if (row !== undefined) row.isClaimed = false;
  }

  async tick(): Promise<Pulse> {
    const isFresh = this.#isFresh();
    this.#letGo();
    if (!isFresh) this.#drainKept();
    const unclaimed = [...this.#draining].filter((channel) => this.#rows.get(channel)?.isClaimed === false);
    return { isFresh, isLeader: true, unclaimed };
  }

  async beat({ askedMs, serverOffsetMs, repair }: Proof): Promise<boolean> {
    if (repair === undefined ? !this.#isFresh() : repair !== String(this.#repair)) return false;
    this.#isReady = true;
    this.#beatMs = askedMs;
    this.#serverOffsetMs = serverOffsetMs;
    return this.#isFresh();
  }

  async beginRepair(): Promise<string> {
    this.#isReady = false;
    this.#repair++;
    return String(this.#repair);
  }

  async *members(): AsyncIterable<readonly string[]> {
    let some: string[] = [];
    for (const [channel, { isOccupied }] of [...this.#rows]) {
      if (!isOccupied) continue;
      some.push(channel);
      if (some.length < MEMBERS_AT_ONCE) continue;
      yield some;
      some = [];
    }
    yield some;
  }

  async removeAbsent(channels: readonly string[], position: number): Promise<void> {
    for (const channel of channels) {
      const row = this.#rows.get(channel);
      if (row === undefined || !row.isOccupied || (row.version ?? 0) > position) continue;
      row.isOccupied = false;
      row.version = position;
    }
  }

  async raiseFloor(position: number): Promise<void> {
    this.#floor = Math.max(this.#floor, position);
    for (const [channel, row] of this.#rows) this.#forget(channel, row);
  }

  count(difference: Partial<Counters>): void {
    this.#counters = addCounts(this.#counters, difference);
  }

  totals(): Counters {
    return this.#counters;
  }

  async close(): Promise<readonly string[]> {
    this.#isReady = false;
    this.#drainKept();
    return [...this.#draining];
  }

  #isFresh(): boolean {
    if (!this.#isReady) return false;
    if (this.#isTrusted || this.#time.monotonicMs() - this.#beatMs <= this.#settings.validityMs) return true;
    this.#isReady = false; // A gap cannot be mended by the next beat: it asks for a repair.
    return false;
  }

  #pass(): Verdict {
    this.count({ sent: 1, failedOpen: 1 });
    return { state: "unknown" };
  }

  #keep(channel: string, row: ChannelRow, text: string, bytes: number): Verdict {
    const nowMs = this.#time.monotonicMs();
    const { lagWindowMs, maxChannelMessages, maxChannelBytes, maxTotalBytes } = this.#settings;
    this.#kept.delete(channel);
    row.dropOlder(nowMs - lagWindowMs);
    const roomBytes = Math.min(maxChannelBytes, maxTotalBytes - this.#kept.bytes) - bytes;
    while (row.length > 0 && (row.length >= maxChannelMessages || row.bytes > roomBytes)) row.dropFirst();
    if (roomBytes < 0) return this.#pass();
    row.push(this.#newId(), text, bytes, nowMs, true);
    this.#kept.set(channel, nowMs, row.bytes);
    this.count({ saved: 1 });
    return { state: "absent" };
  }

  #queue(row: ChannelRow, text: string, bytes: number, isUnknown: boolean): Verdict {
    const { maxQueueMessages, maxQueueBytes } = this.#settings;
    if (row.length >= maxQueueMessages || row.bytes + bytes > maxQueueBytes) {
      return { state: "full", waiting: row.length };
    }
    row.push(this.#newId(), text, bytes, this.#time.monotonicMs(), false);
    this.count(isUnknown ? { sent: 1, failedOpen: 1 } : { sent: 1 });
    return { state: "draining", waiting: row.length, isUnclaimed: !row.isClaimed, isUnknown };
  }

  /** Returns whether there is something to drain. */
  #applyOne(change: Change): boolean {
    const row = this.#rows.get(change.channel) ?? this.#newRow(change.channel);
    // A snapshot knows more than the floor.
    const isNewer = change.isFromSnapshot
      ? change.version >= (row.version ?? 0)
      : change.version > (row.version ?? this.#floor);
    if (!isNewer) {
      this.#forget(change.channel, row);
      return false;
    }
    row.version = change.version;
    const isNew = change.isOccupied && !row.isOccupied;
    row.isOccupied = change.isOccupied;
    if (!isNew) return false;
    if (!row.isDraining) row.dropOlder(this.#monotonicMsOf(change.occurredMs) - this.#settings.skewMs);
    if (this.#announces()) row.pushOccupied(this.#newId(), change);
    if (row.length > 0) this.#startDrain(change.channel, row);
    else this.#kept.delete(change.channel);
    return row.length > 0;
  }

  #monotonicMsOf(serverMs: number): number {
    const offsetMs = this.#serverOffsetMs ?? this.#time.wallMs() - this.#time.monotonicMs();
    return serverMs - offsetMs;
  }

  #startDrain(channel: string, row: ChannelRow): void {
    this.#kept.delete(channel);
    row.isDraining = true;
    this.#draining.add(channel);
  }

  #drainKept(): void {
    for (const channel of this.#kept.channels()) {
      const row = this.#rows.get(channel);
      if (row !== undefined) this.#startDrain(channel, row);
    }
  }

  #finish(row: ChannelRow, done: Done): void {
    const was = row.finish(done);
    if (was === "kept" && done.isSent) this.count({ sent: 1, saved: -1, caughtUp: 1 });
    if (was === "queued" && !done.isSent) this.count({ sent: -1 });
  }

  #letGo(): void {
    for (const channel of this.#kept.olderThan(this.#time.monotonicMs() - this.#settings.retentionMs)) {
      this.#kept.delete(channel);
      const row = this.#rows.get(channel);
      if (row === undefined) continue;
      row.dropOlder(Number.POSITIVE_INFINITY);
      this.#forget(channel, row);
    }
  }

  #newRow(channel: string): ChannelRow {
    const row = new ChannelRow();
    this.#rows.set(channel, row);
    return row;
  }

  #forget(channel: string, row: ChannelRow): void {
    if (row.isForgettable(this.#floor)) this.#rows.delete(channel);
  }

  #newId(): string {
    this.#ids++;
    return String(this.#ids);
  }
}
