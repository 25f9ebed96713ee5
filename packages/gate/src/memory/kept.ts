/** Which channels hold kept messages, since when, and how much it is together. */
export class Kept {
  /** The one whose newest message is the oldest comes first. */
  readonly #channels = new Map<string, { newestMs: number; bytes: number }>();
  bytes = 0;

  set(channel: string, newestMs: number, bytes: number): void {
    this.delete(channel);
    this.#channels.set(channel, { newestMs, bytes });
    this.bytes += bytes;
  }

  delete(channel: string): void {
    this.bytes -= this.#channels.get(channel)?.bytes ?? 0;
    this.#channels.delete(channel);
  }

  channels(): string[] {
    return [...this.#channels.keys()];
  }

  /** Those that got nothing since. */
  olderThan(beforeMs: number): string[] {
    const older: string[] = [];
    for (const [channel, { newestMs }] of this.#channels) {
      if (newestMs >= beforeMs) break;
      older.push(channel);
    }
    return older;
  }
}
