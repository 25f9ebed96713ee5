import type { Checkpoint, Clock } from "#core/ports";
import type { CheckpointAnswer } from "./checkpoint-worker.ts";

const EVERY_MS = 2_000; // ours: some megabytes of a busy server

const LAST_RESORT_PAGES = 10_000; // ours: 40 MB, not reached while checkpoints are made here

/**
 * Moves what the write-ahead logs of SQLite files hold into the files, on a thread of its own: the disk is waited for
 * there, 10 to 40 ms each time, which would hold up every client here.
 */
export class Checkpoints {
  readonly #worker = new Worker(new URL("checkpoint-worker.ts", import.meta.url).href);
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #waiting = new Map<string, () => void>();
  #isOver = false;

  /** @param failed told when it cannot be done; then the connections do it as they would without */
  constructor(clock: Pick<Clock, "monotonicMs">, failed: (problem: string) => void) {
    this.#clock = clock;
    this.#worker.unref();
    this.#worker.onmessage = ({ data }: MessageEvent<CheckpointAnswer>) => {
      if (data.problem !== undefined) failed(`${data.file}: ${data.problem}`);
      this.#done(data.file);
    };
    this.#worker.onerror = ({ message }) => {
      failed(message);
      this.#end();
    };
  }

  of(file: string): Checkpoint {
    let nextMs = this.#clock.monotonicMs() + EVERY_MS;
    const make = (done: () => void) => {
      if (this.#isOver || this.#clock.monotonicMs() < nextMs) {
        done();
        return;
      }
      nextMs = this.#clock.monotonicMs() + EVERY_MS;
      this.#waiting.set(file, done);
      this.#worker.postMessage(file);
    };
    return { lastResortPages: LAST_RESORT_PAGES, make };
  }

  /** Resolves when the files are closed here: who closes them last puts their logs away. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    const ended = new Promise((resolve) => this.#worker.addEventListener("close", resolve));
    this.#end();
    this.#worker.postMessage(undefined);
    await ended;
  }

  #end(): void {
    this.#isOver = true;
    for (const file of this.#waiting.keys()) this.#done(file);
  }

  #done(file: string): void {
    const done = this.#waiting.get(file);
    this.#waiting.delete(file);
    done?.();
  }
}
