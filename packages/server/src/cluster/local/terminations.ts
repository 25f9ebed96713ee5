import type { Terminations } from "#core/ports";

/** All connections of a user are here. */
export class LocalTerminations implements Terminations {
  readonly #endSessions: (appId: string, userId: string) => void;

  constructor(endSessions: (appId: string, userId: string) => void) {
    this.#endSessions = endSessions;
  }

  terminate(appId: string, userId: string): void {
    this.#endSessions(appId, userId);
  }
}
