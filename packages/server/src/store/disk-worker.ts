/** The thread of `disk-thread.ts`: is sent a file first, then what to do with it, and answers each of these in turn. */
import { Database } from "bun:sqlite";
import { WriteAheadLog } from "./write-ahead-log.ts";

export type DiskOrder = { readonly file: string } | "flush" | "checkpoint" | "end";

/** Undefined where it was done. */
export type DiskAnswer = string | undefined;

let end: () => void = () => undefined;
let flush: () => void = () => undefined;
let checkpoint: () => void = () => undefined;

addEventListener("message", ({ data: order }: MessageEvent<DiskOrder>) => {
  if (order === "end") {
    end();
    process.exit(); // of this thread
  }
  if (typeof order === "object") begin(order.file);
  else postMessage(problemOf(order === "flush" ? flush : checkpoint));
});

function begin(file: string): void {
  const log = new WriteAheadLog(file);
  let database: Database | undefined;
  /** A flush failed. The system then takes what it could not write for written, and the next flush proves nothing. */
  let isDoubtful = false;

  checkpoint = () => {
    database ??= new Database(file, { readwrite: true });
    database.run("PRAGMA wal_checkpoint(PASSIVE)"); // waits for nobody, and nobody waits for it
  };
  flush = () => {
    try {
      if (isDoubtful) checkpoint(); // writes it again, to another place
      log.flush();
      isDoubtful = false;
    } catch (problem) {
      isDoubtful = true;
      throw problem;
    }
  };
  end = () => {
    log.close();
    database?.close();
  };
}

function problemOf(work: () => void): DiskAnswer {
  try {
    work();
    return undefined;
  } catch (problem) {
    return problem instanceof Error ? problem.message : String(problem);
  }
}
