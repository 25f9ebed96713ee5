import { closeSync, fdatasyncSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/**
 * SQLite's write-ahead log of a file, as far as its durability goes: with `synchronous=NORMAL` SQLite writes to it and
 * waits for no disk.
 */
export class WriteAheadLog {
  readonly #file: string;
  #fd: number | undefined;

  /** @param file the database's */
  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Comes back when all that was written before is on the disk.
   *
   * @throws what the disk says
   */
  flush(): void {
    this.#fd ??= this.#open();
    fdatasyncSync(this.#fd);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    const fd = openSync(`${this.#file}-wal`, "r");
    flushFolder(dirname(this.#file));
    return fd;
  }
}

/** The log may be so new that its name is not durable yet. Not every file system can be asked for that, nor needs it. */
function flushFolder(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    fsyncSync(fd);
  } catch {
    // SQLite takes no notice of it either.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
