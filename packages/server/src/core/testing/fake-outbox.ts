import { isStateEvent, type MomentEvent, type StateEvent } from "@earshot/protocol/webhook";
import { laneOf } from "#core/lane";
import type { Announced, Clock, Outbox, OutboxEntry, OutboxQuery, Snapshot } from "#core/ports";

type Listener = (appId: string, entries: readonly OutboxEntry[]) => void;

/** What one app has announced. */
interface Told {
  version: number;
  horizon: number;
  entries: OutboxEntry[];
  readonly history: OutboxEntry[];
  readonly states: Map<string, Announced>;
}

const MICROSECONDS_PER_MS = 1_000;

/** An outbox in memory, which counts versions as the real one does. What it has committed survives a restart of its readers. */
export class FakeOutbox implements Outbox {
  /** False: what is announced and appended waits for `commit`. */
  commitsAtOnce = true;
  /** True: the outbox cannot be written, and moments are dropped. */
  isFull = false;
  /** What `trim` was last told, by app. */
  readonly trimmed = new Map<string, number>();
  readonly forgotten: string[] = [];
  readonly #clock: Clock;
  readonly #apps = new Map<string, Told>();
  readonly #listeners = new Set<Listener>();
  #waiting: OutboxEntry[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes any event, a state's too, and returns its version. */
  announce(appId: string, event: StateEvent | MomentEvent, subscriptions = 1): number {
    const told = this.#told(appId);
    told.version = Math.max(told.version + 1, this.#clock.wallMs() * MICROSECONDS_PER_MS);
    const isState = isStateEvent(event);
    this.#waiting.push({
      appId,
      version: told.version,
      occurredMs: this.#clock.wallMs(),
      event,
      subscriptions: isState && event.name !== "channel_vacated" ? subscriptions : 0,
    });
    if (this.commitsAtOnce) this.commit();
    return told.version;
  }

  occupied(appId: string, channel: string, subscriptions = 1): number {
    return this.announce(appId, { name: "channel_occupied", channel }, subscriptions);
  }

  vacated(appId: string, channel: string): number {
    return this.announce(appId, { name: "channel_vacated", channel });
  }

  memberAdded(appId: string, channel: string, userId: string): number {
    return this.announce(appId, { name: "member_added", channel, user_id: userId });
  }

  memberRemoved(appId: string, channel: string, userId: string): number {
    return this.announce(appId, { name: "member_removed", channel, user_id: userId });
  }

  append(appId: string, event: MomentEvent): boolean {
    if (this.isFull) return false;
    this.announce(appId, event);
    return true;
  }

  /** Makes durable what waits, and tells the listeners, app by app. */
  commit(): void {
    const committed = Map.groupBy(this.#waiting, (entry) => entry.appId);
    this.#waiting = [];
    for (const [appId, entries] of committed) {
      const told = this.#told(appId);
      for (const entry of entries) {
        told.entries.push(entry);
        told.history.push(entry);
        if (isStateEvent(entry.event))
          told.states.set(subjectOf(entry.event), announcedBy(entry.event, entry));
      }
      for (const listener of this.#listeners) listener(appId, entries);
    }
  }

  /** Forgets a vacant channel, as an outbox may after a while. */
  forgetState(appId: string, channel: string, userId?: string): void {
    this.#told(appId).states.delete(subject(channel, userId));
  }

  /** Everything of an app that is committed and not trimmed. */
  entries(appId: string): readonly OutboxEntry[] {
    return this.#told(appId).entries;
  }

  /** Everything of an app that was ever committed, also what is trimmed. */
  everything(appId: string): readonly OutboxEntry[] {
    return this.#told(appId).history;
  }

  /** What is announced of an app, present and gone. */
  states(appId: string): readonly Announced[] {
    return [...this.#told(appId).states.values()];
  }

  position(appId: string): number {
    const told = this.#told(appId);
    return told.entries.at(-1)?.version ?? told.horizon;
  }

  lagMs(): number {
    return 0;
  }

  horizon(appId: string): number {
    return this.#told(appId).horizon;
  }

  read({ appId, after, limit, lane }: OutboxQuery): readonly OutboxEntry[] {
    const { entries } = this.#told(appId);
    const found: OutboxEntry[] = [];
    for (let i = firstAbove(entries, after); i < entries.length && found.length < limit; i++) {
      const entry = entries[i];
      if (entry !== undefined && (lane === undefined || laneOf(entry.event.channel) === lane))
        found.push(entry);
    }
    return found;
  }

  announced(appId: string, channel: string, userId?: string): Announced | undefined {
    return this.#told(appId).states.get(subject(channel, userId));
  }

  snapshot(appId: string, prefix: string, withMembers: boolean): Snapshot {
    const present = [...this.#told(appId).states.values()]
      .filter((state) => state.isPresent && state.channel.startsWith(prefix))
      .filter((state) => withMembers || state.userId === undefined)
      .sort((a, b) => a.version - b.version);
    return { position: this.position(appId), present };
  }

  onCommitted(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Drops at once what the real one keeps for streams that resume. */
  trim(appId: string, delivered: number): void {
    this.trimmed.set(appId, delivered);
    const told = this.#told(appId);
    told.entries = told.entries.slice(firstAbove(told.entries, delivered));
    told.horizon = Math.max(told.horizon, Math.min(delivered, told.version));
  }

  remembered(): readonly string[] {
    return [...this.#apps].filter(([, { history }]) => history.length > 0).map(([appId]) => appId);
  }

  forget(appId: string): void {
    this.forgotten.push(appId);
    this.#apps.delete(appId);
  }

  #told(appId: string): Told {
    const found = this.#apps.get(appId);
    if (found !== undefined) return found;
    const told: Told = { version: 0, horizon: 0, entries: [], history: [], states: new Map() };
    this.#apps.set(appId, told);
    return told;
  }
}

function subjectOf(event: StateEvent): string {
  return "user_id" in event ? subject(event.channel, event.user_id) : subject(event.channel);
}

function subject(channel: string, userId?: string): string {
  return userId === undefined ? channel : `${channel}/${userId}`; // no channel name holds a slash
}

function announcedBy(event: StateEvent, entry: OutboxEntry): Announced {
  return {
    channel: event.channel,
    ...("user_id" in event && { userId: event.user_id }),
    isPresent: event.name === "channel_occupied" || event.name === "member_added",
    version: entry.version,
    occurredMs: entry.occurredMs,
    subscriptions: entry.subscriptions,
  };
}

/** Where the entries above a version begin. */
function firstAbove(entries: readonly OutboxEntry[], version: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.version ?? 0) > version) high = middle;
    else low = middle + 1;
  }
  return low;
}
