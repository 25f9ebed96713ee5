/** What was announced of a channel: somebody listens now, or nobody does any more. */
export interface Change {
  readonly channel: string;
  readonly isOccupied: boolean;
  /** Of two changes of one channel the higher one is the newer. Below 2^53. */
  readonly version: number;
  /** Unix milliseconds at which it happened, by the server's clock. */
  readonly occurredMs: number;
  /** Subscriptions when it was announced, where the feed tells. */
  readonly count?: number;
  /** It was learned from a snapshot: it may have happened long before. */
  readonly isFromSnapshot?: true;
}

/** Everything announced up to a position: who is occupied, and that all others are not. */
export interface Snapshot {
  readonly position: number;
  readonly occupied: readonly Change[];
}
