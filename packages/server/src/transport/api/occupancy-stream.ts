import {
  type ChannelState,
  heartbeat,
  MAX_SNAPSHOT_CHANNELS,
  occupancyChange,
  STREAM_COMMENT,
  snapshotPage,
} from "@earshot/protocol/occupancy";
import { after, attempt } from "#core/answer";
import type { Announced, Answer, Outbox, OutboxEntry, Snapshot } from "#core/ports";

const HEARTBEAT_MS = 15_000; // ours: well below the idle limits of common proxies
const PLACE_MS = 250; // ours: well below the two seconds after which a gate takes its stream for behind
const READ_ENTRIES = 500; // ours: a few milliseconds, so that a reader who has missed much holds up nobody
const MAX_WAITING_BYTES = 65_536; // ours: what waits for a slow reader beyond it stays in the outbox

export interface OccupancyStreamParts {
  readonly outbox: Outbox;
  readonly appId: string;
  /** Only channels whose name starts so. */
  readonly prefix: string;
  /** Returns the way out. */
  readonly later: (ms: number, act: () => void) => () => void;
}

/**
 * One reader of what is announced of channels: a snapshot, or what came after an id, then what is committed. The reader
 * has a place in the outbox, and commits are read from there; only while nothing is missed are they taken as they come.
 * So a reader without room costs no memory, and finds what it missed where it left off.
 */
export class OccupancyStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #parts: OccupancyStreamParts;
  readonly #encoder = new TextEncoder();
  #phase: "opening" | "snapshot" | "behind" | "reading" | "live" | "ended" = "opening";
  /** Everything up to this version has been written. Means nothing before the snapshot is written. */
  #place = 0;
  #pages: Iterator<string> | undefined;
  /** Something was committed since the last read began. */
  #isCommitted = false;
  /** The reader had room since the last heartbeat was due. */
  #hadRoom = true;
  #lastRoomBytes = 0;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #exits: (() => void)[] = [];
  #cancelHeartbeat: () => void = () => undefined;
  #cancelFill: () => void = () => undefined;
  #cancelPlace: (() => void) | undefined;

  constructor(parts: OccupancyStreamParts) {
    this.#parts = parts;
    // First of all, so that nothing is committed unheard between the first reading and the second.
    this.#exits.push(
      parts.outbox.onCommitted((appId, entries) => {
        if (appId === parts.appId) this.#committed(entries);
      }),
    );
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#hadRoom = true;
          this.#fill();
        },
        cancel: () => this.#end(),
      },
      { highWaterMark: MAX_WAITING_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  /**
   * Finds out where to begin.
   * @param lastId what the reader has seen; a new snapshot is the answer where the outbox does not reach back so far
   * @throws or rejects where what is announced is not known completely; the stream has then ended
   */
  open(lastId: number | undefined): Answer<void> {
    const { outbox, appId, prefix } = this.#parts;
    return attempt(
      () =>
        after(lastId === undefined ? false : this.#reaches(lastId), (reaches) => {
          if (reaches && lastId !== undefined) return this.#resume(lastId);
          return after(outbox.snapshot(appId, prefix, false), (snapshot) => this.#begin(snapshot));
        }),
      () => {
        this.#awaitHeartbeat();
        this.#fill();
      },
      (problem) => {
        this.#end();
        throw problem;
      },
    );
  }

  /** Does something when the stream ends, however it does. */
  onEnd(act: () => void): void {
    this.#exits.push(act);
  }

  /** Ends the stream for a reader who may come back. */
  close(): void {
    if (this.isEnded) return;
    if (this.#hasRoom) {
      this.#end();
      this.#controller?.close();
    } else this.#abandon();
  }

  get isEnded(): boolean {
    return this.#phase === "ended";
  }

  #reaches(lastId: number): Answer<boolean> {
    const { outbox, appId } = this.#parts;
    return after(outbox.position(appId), (position) =>
      after(outbox.horizon(appId), (horizon) => horizon <= lastId && lastId <= position),
    );
  }

  #resume(lastId: number): void {
    if (this.isEnded) return;
    this.#place = lastId;
    this.#phase = "behind";
    this.#write(heartbeat(lastId));
  }

  #begin(snapshot: Snapshot): void {
    if (this.isEnded) return;
    this.#pages = pagesOf(snapshot);
    this.#place = snapshot.position;
    this.#phase = "snapshot";
  }

  #fill(): void {
    while (this.#phase === "snapshot" && this.#hasRoom) this.#writePage();
    if (this.#phase === "behind" && this.#hasRoom) this.#read();
  }

  #writePage(): void {
    const page = this.#pages?.next();
    if (page?.done === false) this.#write(page.value);
    else {
      this.#pages = undefined;
      this.#phase = "behind";
    }
  }

  #read(): void {
    const { outbox, appId } = this.#parts;
    this.#phase = "reading";
    this.#isCommitted = false;
    const answer = attempt(
      () => outbox.read({ appId, after: this.#place, limit: READ_ENTRIES }),
      (entries) => after(outbox.horizon(appId), (horizon) => this.#haveRead(entries, horizon)),
      () => this.close(), // the reader comes back, and is told why it cannot be served
    );
    if (answer instanceof Promise) answer.catch(() => this.close());
  }

  #haveRead(entries: readonly OutboxEntry[], horizon: number): void {
    if (this.isEnded) return;
    if (horizon > this.#place) {
      this.close(); // what the reader has missed may be gone in part; it comes back, and gets a snapshot
      return;
    }
    this.#deliver(entries);
    const isDone = entries.length < READ_ENTRIES && !this.#isCommitted;
    this.#phase = isDone ? "live" : "behind";
    if (isDone) return;
    this.#cancelFill();
    this.#cancelFill = this.#parts.later(0, () => this.#fill()); // others get their turn in between
  }

  #committed(entries: readonly OutboxEntry[]): void {
    this.#isCommitted = true;
    if (this.#phase !== "live") return;
    if (this.#hasRoom) this.#deliver(entries);
    else this.#phase = "behind";
  }

  #deliver(entries: readonly OutboxEntry[]): void {
    let events = "";
    const before = this.#place;
    for (const entry of entries) {
      if (entry.version <= this.#place) continue;
      this.#place = entry.version;
      events += this.#eventOf(entry);
    }
    if (events !== "") this.#write(events);
    else if (this.#place > before) this.#tellPlaceSoon();
  }

  /** What was committed was not for this reader, who must hear all the same that nothing up to there is missing. */
  #tellPlaceSoon(): void {
    this.#cancelPlace ??= this.#parts.later(PLACE_MS, () => {
      this.#cancelPlace = undefined;
      if (this.#hasRoom) this.#write(heartbeat(this.#place));
    });
  }

  #eventOf({ event, version, subscriptions, occurredMs }: OutboxEntry): string {
    const { name, channel } = event;
    if (name !== "channel_occupied" && name !== "channel_vacated") return "";
    if (!channel.startsWith(this.#parts.prefix)) return "";
    return occupancyChange(name === "channel_occupied" ? "occupied" : "vacated", {
      channel,
      version,
      count: subscriptions,
      occurred_ms: occurredMs,
    });
  }

  get #hasRoom(): boolean {
    return !this.isEnded && (this.#controller?.desiredSize ?? 0) > 0;
  }

  #write(text: string): void {
    if (!this.isEnded) this.#controller?.enqueue(this.#encoder.encode(text));
  }

  #awaitHeartbeat(): void {
    if (this.isEnded) return;
    this.#cancelHeartbeat = this.#parts.later(HEARTBEAT_MS, () => {
      const roomBytes = this.#controller?.desiredSize ?? 0;
      if (roomBytes <= 0 && roomBytes === this.#lastRoomBytes && !this.#hadRoom) {
        this.#abandon();
        return;
      }
      this.#lastRoomBytes = roomBytes;
      this.#hadRoom = false;
      if (this.#hasRoom) this.#write(this.#phase === "snapshot" ? STREAM_COMMENT : heartbeat(this.#place));
      this.#awaitHeartbeat();
    });
  }

  /** For a reader who has stopped: nothing of what waits for it will be taken. */
  #abandon(): void {
    this.#end();
    this.#controller?.error(new Error("the reader of an occupancy stream has stopped"));
  }

  #end(): void {
    if (this.isEnded) return;
    this.#phase = "ended";
    this.#pages = undefined;
    this.#cancelHeartbeat();
    this.#cancelFill();
    this.#cancelPlace?.();
    for (const exit of this.#exits) exit();
  }
}

function* pagesOf({ position, present }: Snapshot): Generator<string> {
  for (let start = 0; start === 0 || start < present.length; start += MAX_SNAPSHOT_CHANNELS) {
    const page = present.slice(start, start + MAX_SNAPSHOT_CHANNELS).map(stateOf);
    yield snapshotPage(page, start + MAX_SNAPSHOT_CHANNELS >= present.length ? position : undefined);
  }
}

function stateOf({ channel, version, subscriptions, occurredMs }: Announced): ChannelState {
  return { channel, version, count: subscriptions, occurred_ms: occurredMs };
}
