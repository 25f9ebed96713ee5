import type { Feed } from "./feed.ts";
import { GateError, reasonOf } from "./gate-error.ts";
import type { Settings } from "./settings.ts";
import type { Store } from "./store.ts";
import type { Time } from "./time.ts";

const REFRESH_EVERY_MS = 600_000; // ours: also what nobody noticed is mended, and old records are let go

export interface WatchParts {
  readonly store: Store;
  readonly feed: Feed;
  readonly settings: Settings;
  readonly time: Time;
  onDrain(channels: readonly string[]): void;
  onError(error: GateError): void;
}

/**
 * Looks into the store twice a second, starts the drains that nobody holds, and, while this worker leads, keeps the store
 * fresh: asks every second, and repairs it when it has not been fresh.
 */
export class Watch {
  readonly #parts: WatchParts;
  #cancelNext: (() => void) | undefined;
  #isStarted = false;
  #isClosed = false;
  #isFresh = false;
  #isStoreAway = false;
  #isLeading = false;
  #isWorking = false;
  #workedMs = Number.NEGATIVE_INFINITY;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  #isRefreshing = false;
  readonly #waiting = new Set<() => void>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** As this worker saw it last. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** The store did not answer when it was last asked, so nobody need wait for it again. */
  get isStoreAway(): boolean {
    return this.#isStoreAway;
  }

  /** Resolves when the store is fresh, but no later than after the lag window: until then everything is sent. */
  start(): Promise<void> {
    const { settings, time } = this.#parts;
    if (this.#isFresh || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#waiting.delete(end);
        resolve();
      };
      const cancel = time.after(settings.lagWindowMs, end);
      this.#waiting.add(end);
      if (!this.#isStarted) void this.#tick();
      this.#isStarted = true;
    });
  }

  /** Called by whoever found the store away. */
  storeFailed(error: unknown): void {
    this.#isStoreAway = true;
    this.#isFresh = false;
    const isOurs = error instanceof GateError && error.code === "store_unavailable";
    const why = `the store did not answer, so everything is sent: ${reasonOf(error)}`;
    this.#parts.onError(isOurs ? error : new GateError("store_unavailable", why, error));
  }

  close(): void {
    this.#isClosed = true;
    this.#isFresh = false;
    this.#cancelNext?.();
    this.#parts.feed.stop();
    for (const end of [...this.#waiting]) end();
  }

  async #tick(): Promise<void> {
    const { store, feed, settings, time } = this.#parts;
    try {
      const { isFresh, isLeader, unclaimed } = await store.tick();
      if (this.#isClosed) return;
      this.#isStoreAway = false;
      this.#see(isFresh);
      this.#parts.onDrain(unclaimed);
      if (this.#isLeading && !isLeader) feed.stop();
      this.#isLeading = isLeader;
      if (isLeader) this.#lead(isFresh);
    } catch (error) {
      if (!this.#isClosed) this.storeFailed(error);
    }
    if (!this.#isClosed) this.#cancelNext = time.after(settings.tickMs, () => void this.#tick());
  }

  #lead(isFresh: boolean): void {
    const nowMs = this.#parts.time.monotonicMs();
    const { askEveryMs, tickMs } = this.#parts.settings;
    // A timer that fires a little early must not put it off to the next tick.
    if (this.#isWorking || nowMs - this.#workedMs < askEveryMs - tickMs / 2) return;
    this.#workedMs = nowMs;
    this.#isWorking = true;
    const work = isFresh ? this.#keepFresh() : this.#repair(nowMs);
    void this.#reported(work).then((isDone) => {
      this.#isWorking = false;
      // A second attempt still comes in time to keep what is fresh.
      if (!isDone && isFresh) this.#workedMs = Number.NEGATIVE_INFINITY;
    });
    if (!isFresh || this.#isRefreshing || nowMs - this.#refreshedMs < REFRESH_EVERY_MS) return;
    this.#refreshedMs = nowMs;
    this.#isRefreshing = true;
    void this.#reported(this.#parts.feed.refresh()).finally(() => {
      this.#isRefreshing = false;
    });
  }

  async #keepFresh(): Promise<void> {
    this.#see(await this.#parts.store.beat(await this.#parts.feed.prove()));
  }

  async #repair(nowMs: number): Promise<void> {
    const { store, feed } = this.#parts;
    const repair = await store.beginRepair();
    this.#refreshedMs = nowMs;
    await feed.repair();
    this.#see(await store.beat({ ...(await feed.prove()), repair }));
  }

  #see(isFresh: boolean): void {
    if (this.#isClosed) return;
    this.#isFresh = isFresh;
    if (isFresh) for (const end of [...this.#waiting]) end();
  }

  async #reported(work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (!this.#isClosed) this.#parts.onError(named(error));
      return false;
    }
  }
}

function named(error: unknown): GateError {
  if (error instanceof GateError) return error;
  return new GateError("position_unavailable", `the server could not be asked: ${reasonOf(error)}`, error);
}
