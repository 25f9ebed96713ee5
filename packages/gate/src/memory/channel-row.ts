import type { Change } from "../change.ts";
import type { Done, Next } from "../store.ts";

type Entry =
  | {
      readonly kind: "message";
      readonly id: string;
      readonly text: string;
      readonly bytes: number;
      readonly atMs: number;
      readonly wasKept: boolean;
    }
  | { readonly kind: "occupied"; readonly id: string; readonly change: Change };

/** What one process knows of a channel, and what waits in it. */
export class ChannelRow {
  /** Of the newest change that was applied; undefined where none is remembered. */
  version: number | undefined;
  isOccupied = false;
  isDraining = false;
  isClaimed = false;
  /** Of what waits, as UTF-8. */
  bytes = 0;
  readonly #entries: Entry[] = [];

  get length(): number {
    return this.#entries.length;
  }

  /** Nothing is lost when the row is forgotten, as long as changes at or below the floor are taken for stale. */
  isForgettable(floor: number): boolean {
    const isSettled = !this.isOccupied && !this.isDraining && this.#entries.length === 0;
    return isSettled && (this.version === undefined || this.version <= floor);
  }

  push(id: string, text: string, bytes: number, atMs: number, wasKept: boolean): void {
    this.#entries.push({ kind: "message", id, text, bytes, atMs, wasKept });
    this.bytes += bytes;
  }

  pushOccupied(id: string, change: Change): void {
    this.#entries.push({ kind: "occupied", id, change });
  }

  /** Lets go of what was kept before `beforeMs`. */
  dropOlder(beforeMs: number): void {
    for (let first = this.#entries[0]; first?.kind === "message" && first.atMs < beforeMs; ) {
      this.dropFirst();
      first = this.#entries[0];
    }
  }

  dropFirst(): void {
    const first = this.#entries.shift();
    if (first?.kind === "message") this.bytes -= first.bytes;
  }

  /** Takes out what is done, and says whether that was a message that had been kept. */
  finish(done: Done): "kept" | "queued" | "neither" {
    const first = this.#entries[0];
    if (first?.id !== done.id) return "neither";
    this.dropFirst();
    if (first.kind === "occupied") return "neither";
    return first.wasKept ? "kept" : "queued";
  }

  first(): Next {
    const first = this.#entries[0];
    if (first === undefined) return { kind: "over" };
    if (first.kind === "occupied") return { kind: "occupied", id: first.id, change: first.change };
    return { kind: "message", id: first.id, text: first.text, wasKept: first.wasKept };
  }
}
