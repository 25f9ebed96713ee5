import { backoffMs } from "./backoff.ts";
import type { Change, Snapshot } from "./change.ts";
import type { Feed } from "./feed.ts";
import { GateError, reasonOf } from "./gate-error.ts";
import type { OccupancyFrame } from "./occupancy-frame.ts";
import type { Position } from "./position.ts";
import { SnapshotPages } from "./snapshot.ts";
import type { Proof } from "./store.ts";
import type { Time } from "./time.ts";

export interface StreamFeedParts {
  readonly time: Time;
  readonly maxBehindMs: number;
  /** @see occupancyStream */
  open(after: number | undefined, signal: AbortSignal): AsyncIterable<readonly OccupancyFrame[]>;
  readSnapshot(signal: AbortSignal): Promise<Snapshot>;
  applyChanges(changes: readonly Change[]): Promise<void>;
  applySnapshot(snapshot: Snapshot): Promise<void>;
  askPosition(): Promise<Position>;
  onError(error: GateError): void;
}

/** The occupancy stream brings the changes; how far it has come is compared with how far the server is. */
export class StreamFeed implements Feed {
  readonly #parts: StreamFeedParts;
  #connection: AbortController | undefined;
  /** Everything up to it is in the store; undefined before the first snapshot of a connection. */
  #position: number | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(parts: StreamFeedParts) {
    this.#parts = parts;
  }

  /** Begins anew, with a snapshot. */
  repair(): Promise<void> {
    this.stop();
    const connection = new AbortController();
    this.#connection = connection;
    return new Promise((resolve, reject) => {
      void this.#follow(connection.signal, resolve, reject);
    });
  }

  async refresh(): Promise<void> {
    const signal = this.#connection?.signal;
    if (signal !== undefined) await this.#parts.applySnapshot(await this.#parts.readSnapshot(signal));
  }

  async prove(): Promise<Proof> {
    if (this.#connection === undefined) await this.repair();
    const { position, askedMs, serverOffsetMs } = await this.#parts.askPosition();
    if (!(await this.#reaches(position))) {
      const { maxBehindMs } = this.#parts;
      throw new GateError(
        "feed_behind",
        `the occupancy stream has not come to ${position} within ${maxBehindMs} ms, but to ${this.#position}; ` +
          "until it has, everything is sent",
      );
    }
    return { askedMs, serverOffsetMs };
  }

  stop(): void {
    this.#connection?.abort();
    this.#connection = undefined;
    this.#position = undefined;
  }

  /** Keeps a connection open until the signal, each going on where the last one ended. */
  async #follow(
    signal: AbortSignal,
    onSnapshot: () => void,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const pages = new SnapshotPages();
        for await (const frames of this.#parts.open(this.#position, signal)) {
          await this.#take(frames, pages, signal, onSnapshot);
          failures = 0;
        }
      } catch (error) {
        onFailure(error); // Before the first snapshot, whoever waits for it tells of this.
        if (this.#position !== undefined && !signal.aborted) this.#parts.onError(named(error));
      }
      if (!signal.aborted) await this.#pause(backoffMs(failures), signal);
    }
    onFailure(new GateError("stream_failed", "the occupancy stream was closed by this gate"));
  }

  async #take(
    frames: readonly OccupancyFrame[],
    pages: SnapshotPages,
    signal: AbortSignal,
    onSnapshot: () => void,
  ): Promise<void> {
    let changes: Change[] = [];
    const flush = async () => {
      const last = changes.at(-1);
      if (last === undefined) return;
      await this.#parts.applyChanges(changes);
      changes = [];
      this.#moveTo(last.version, signal);
    };
    for (const frame of frames) {
      if (frame.kind === "change") {
        changes.push(frame.change);
        continue;
      }
      await flush();
      if (frame.kind === "position") this.#moveTo(frame.position, signal);
      const snapshot = frame.kind === "page" ? pages.add(frame) : undefined;
      if (snapshot === undefined) continue;
      await this.#parts.applySnapshot(snapshot);
      this.#moveTo(snapshot.position, signal);
      onSnapshot();
    }
    await flush();
  }

  #moveTo(position: number, signal: AbortSignal): void {
    if (signal.aborted) return; // A connection that was given up says nothing of the one that took its place.
    this.#position = position;
    for (const look of [...this.#waiting]) look();
  }

  #reaches(position: number): Promise<boolean> {
    const isThere = () => (this.#position ?? -1) >= position;
    if (isThere()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const look = () => {
        if (isThere()) end(true);
      };
      const end = (isReached: boolean) => {
        cancel();
        this.#waiting.delete(look);
        resolve(isReached);
      };
      const cancel = this.#parts.time.after(this.#parts.maxBehindMs, () => end(false));
      this.#waiting.add(look);
    });
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#parts.time.after(delayMs, end);
      signal.addEventListener("abort", end);
    });
  }
}

function named(error: unknown): GateError {
  return error instanceof GateError ? error : new GateError("stream_failed", reasonOf(error), error);
}
