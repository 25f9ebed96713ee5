import type { Clock, Disk } from "#core/ports";
import type { DiskAnswer, DiskOrder } from "./disk-worker.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

const CHECKPOINT_MS = 2_000; // ours: some megabytes of a busy server
const LAST_RESORT_PAGES = 10_000; // ours: 40 MB, not reached while checkpoints are made here

interface Waiting {
  readonly order: "flush" | "checkpoint";
  readonly done: (problem: string | undefined) => void;
}

/**
 * Waits for the disk of one SQLite file, on a thread of its own: 1 to 40 ms each time, which would hold up every client.
 * It is not the runtime's common pool, where a name server that does not answer would hold it up. Where the thread ends,
 * the disk is waited for here.
 */
export class DiskThread implements Disk {
  readonly lastResortPages = LAST_RESORT_PAGES;
  readonly #worker = new Worker(new URL("disk-worker.ts", import.meta.url).href);
  readonly #log: WriteAheadLog;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #failed: (problem: string) => void;
  readonly #waiting: Waiting[] = [];
  #nextCheckpointMs: number;
  #isOver = false;

  /** @param failed told when a checkpoint cannot be made; then the connection makes it, as it would without */
  constructor(file: string, clock: Pick<Clock, "monotonicMs">, failed: (problem: string) => void) {
    this.#log = new WriteAheadLog(file);
    this.#clock = clock;
    this.#failed = failed;
    this.#nextCheckpointMs = clock.monotonicMs() + CHECKPOINT_MS;
    this.#worker.unref();
    this.#worker.onmessage = ({ data }: MessageEvent<DiskAnswer>) => this.#waiting.shift()?.done(data);
    this.#worker.onerror = ({ message }) => failed(message);
    this.#worker.addEventListener("close", () => this.#end());
    this.#worker.postMessage({ file } satisfies DiskOrder);
  }

  checkpoint(done: () => void): void {
    if (this.#isOver || this.#clock.monotonicMs() < this.#nextCheckpointMs) {
      done();
      return;
    }
    this.#nextCheckpointMs = this.#clock.monotonicMs() + CHECKPOINT_MS;
    this.#ask("checkpoint", (problem) => {
      if (problem !== undefined) this.#failed(problem);
      done();
    });
  }

  flush(done: (problem: string | undefined) => void): void {
    if (this.#isOver) this.#flushHere(done);
    else this.#ask("flush", done);
  }

  flushNow(): void {
    this.#log.flush();
  }

  /** Resolves when the file is closed here: who closes it last puts its log away. */
  async close(): Promise<void> {
    if (!this.#isOver) {
      const ended = new Promise((resolve) => this.#worker.addEventListener("close", resolve));
      this.#worker.postMessage("end" satisfies DiskOrder);
      await ended;
    }
    this.#log.close();
  }

  #ask(order: Waiting["order"], done: Waiting["done"]): void {
    this.#waiting.push({ order, done });
    this.#worker.postMessage(order satisfies DiskOrder);
  }

  #end(): void {
    this.#isOver = true;
    for (const { order, done } of this.#waiting.splice(0)) {
      if (order === "flush") this.#flushHere(done);
      else done(undefined);
    }
  }

  #flushHere(done: (problem: string | undefined) => void): void {
    let problem: string | undefined;
    try {
      this.#log.flush();
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    done(problem);
  }
}
