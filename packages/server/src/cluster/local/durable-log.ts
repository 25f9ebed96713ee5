import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** As `fs.fdatasync`: comes back when the file's data is on the disk, without stopping the process meanwhile. */
export type Flush = (fd: number, done: (problem: Error | null) => void) => void;

/**
 * SQLite's write-ahead log of a file, as far as its durability goes. SQLite writes to it and, with `synchronous=NORMAL`,
 * waits for no disk; who needs to know that what was written stays waits here, on another thread.
 */
export class DurableLog {
  readonly #file: string;
  readonly #flush: Flush;
  #fd: number | undefined;
  #underWay = 0;
  #isClosed = false;

  /** @param file the database's */
  constructor(file: string, flush: Flush = fdatasync) {
    this.#file = file;
    this.#flush = flush;
  }

  /** Tells when all that was written before is durable, or why that is not known. */
  flush(done: (problem: Error | undefined) => void): void {
    let fd: number;
    try {
      fd = this.#open();
    } catch (problem) {
      done(asError(problem));
      return;
    }
    this.#underWay++;
    this.#flush(fd, (problem) => {
      this.#underWay--;
      if (this.#isClosed) this.#close();
      done(problem ?? undefined);
    });
  }

  /** @throws what the disk says */
  flushNow(): void {
    fdatasyncSync(this.#open());
  }

  close(): void {
    this.#isClosed = true;
    this.#close();
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd;
    const folder = openSync(dirname(this.#file), "r");
    fsyncSync(folder); // the log may be so new that its name is not durable yet
    closeSync(folder);
    this.#fd = openSync(`${this.#file}-wal`, "r");
    return this.#fd;
  }

  /** Its number must not be another file's while the other thread uses it. */
  #close(): void {
    if (this.#fd === undefined || this.#underWay > 0) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function asError(problem: unknown): Error {
  return problem instanceof Error ? problem : new Error(String(problem));
}
