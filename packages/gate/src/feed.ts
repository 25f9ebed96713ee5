import type { Proof } from "./store.ts";

/** How the worker that leads makes sure that the store is told what the server announces. */
export interface Feed {
  /** Brings a store that is not fresh to what is announced now, by a snapshot. @throws GateError */
  repair(): Promise<void>;
  /** The same for one that is fresh, beside everything else: it mends what nobody noticed. @throws GateError */
  refresh(): Promise<void>;
  /** That the store has been told everything but the last two seconds. @throws GateError where that is not so */
  prove(): Promise<Proof>;
  /** This worker leads no more. */
  stop(): void;
}
