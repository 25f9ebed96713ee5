import type { Disk } from "#core/ports";

/** A disk that takes everything at once, and leaves checkpoints to SQLite. */
export const INSTANT_DISK: Disk = {
  lastResortPages: 1_000,
  checkpoint: (done) => done(),
  flush: (done) => done(undefined),
  flushNow: () => undefined,
};
