import type { Clock } from "./ports.ts";

/** What can be announced: a channel, or one user on a presence channel. */
export interface Subject {
  readonly appId: string;
  readonly channel: string;
  readonly userId?: string;
}

/** A step that brings *announced* to *actual*. */
export interface Change extends Subject {
  readonly isPresent: boolean;
  /** Unix milliseconds at which *actual* became so. */
  readonly occurredMs: number;
}

interface Difference extends Change {
  /** Monotonic. */
  readonly sinceMs: number;
}

/** Neither app ids nor channel names can contain a slash. */
export function subjectKey({ appId, channel, userId }: Subject): string {
  return userId === undefined ? `${appId}/${channel}` : `${appId}/${channel}/${userId}`;
}

/**
 * Where *actual* and *announced* differ, and since when without a break. What came is announced at once; what is gone
 * after `vacatedDelayMs`, and never before the process has settled nor once it is being stopped. Who came and left
 * before that could be announced was there all the same: such a visit stands in both lists, and is told as both.
 */
export class Differences {
  /** In the order in which they arose: a channel before its members. */
  readonly #arrivals = new Map<string, Difference>();
  /** In the order in which they arose, which is the order of falling due: members before their channel. */
  readonly #departures = new Map<string, Difference>();
  readonly #clock: Clock;
  readonly #vacatedDelayMs: number;
  #keepsVisits = true;
  #settledMs = Number.POSITIVE_INFINITY;

  constructor(parts: { clock: Clock; vacatedDelayMs: number }) {
    this.#clock = parts.clock;
    this.#vacatedDelayMs = parts.vacatedDelayMs;
  }

  /** Departures are announced from so many milliseconds after now. */
  settleFor(ms: number): void {
    this.#settledMs = this.#clock.monotonicMs() + ms;
  }

  /** A planned stop has begun: who leaves now leaves for the next process. */
  beQuiet(): void {
    this.#settledMs = Number.POSITIVE_INFINITY;
  }

  /** To be called whenever *actual* has changed. */
  compare(subject: Subject, actual: boolean, announced: boolean): void {
    const key = subjectKey(subject);
    if (actual) this.#departures.delete(key);
    const isUntold = this.#arrivals.has(key);
    if (!actual && isUntold && !this.#keepsVisits) this.#arrivals.delete(key);
    else if (actual ? !announced : announced || isUntold) this.#differ(key, subject, actual);
  }

  #differ(key: string, subject: Subject, isPresent: boolean): void {
    const list = isPresent ? this.#arrivals : this.#departures;
    if (list.has(key)) return;
    const occurredMs = this.#clock.wallMs();
    list.set(key, { ...subject, isPresent, occurredMs, sinceMs: this.#clock.monotonicMs() });
  }

  /** To be called when a change has been announced. */
  settled(change: Change): void {
    (change.isPresent ? this.#arrivals : this.#departures).delete(subjectKey(change));
  }

  /** While nothing can be announced, visits are not kept: nobody knows how many there will be. */
  keepVisits(keepsVisits: boolean): void {
    this.#keepsVisits = keepsVisits;
    if (keepsVisits) return;
    for (const key of this.#arrivals.keys()) if (this.#departures.delete(key)) this.#arrivals.delete(key);
  }

  /** The changes that are due now, in the order in which they are to be told; at most so many of each kind. */
  due(limit: number): { readonly arrivals: readonly Change[]; readonly departures: readonly Change[] } {
    const arrivals = [...this.#arrivals.values().take(limit)];
    const departures: Change[] = [];
    const nowMs = this.#clock.monotonicMs();
    const isBehind = this.#arrivals.size > limit; // a visit's arrival must not come after its departure
    if (nowMs < this.#settledMs || isBehind) return { arrivals, departures };
    for (const difference of this.#departures.values()) {
      if (difference.sinceMs + this.#vacatedDelayMs > nowMs || departures.length === limit) break;
      departures.push(difference);
    }
    return { arrivals, departures };
  }

  /** Monotonic milliseconds at which the next change falls due; undefined where none will by itself. */
  get nextDueMs(): number | undefined {
    if (this.#arrivals.size > 0) return this.#clock.monotonicMs();
    const [first] = this.#departures.values().take(1);
    if (first === undefined || this.#settledMs === Number.POSITIVE_INFINITY) return undefined;
    return Math.max(first.sinceMs + this.#vacatedDelayMs, this.#settledMs);
  }

  /** Monotonic milliseconds since which somebody has been there and is not announced; undefined where there is nobody. */
  get oldestArrivalMs(): number | undefined {
    const [first] = this.#arrivals.values().take(1);
    return first?.sinceMs;
  }

  /** Nothing of the app is compared any more. */
  forget(appId: string): void {
    for (const list of [this.#arrivals, this.#departures]) {
      for (const [key, difference] of list) if (difference.appId === appId) list.delete(key);
    }
  }
}
