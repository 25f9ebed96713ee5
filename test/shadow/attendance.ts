/** Milliseconds of the wall clock, which the server's versions show too. */
interface Stay {
  readonly client: number;
  readonly fromMs: number;
  toMs: number;
}

/** A time in which no server could hear anybody, and the clients that were cut off by it. */
export interface Outage {
  readonly how: "stop" | "kill";
  readonly fromMs: number;
  /** Until then, those who come back were never away. */
  readonly settledMs: number;
}

/**
 * Who was certainly subscribed, and when: from the moment at which a client had heard that it is, until just before it
 * began to leave. Coming back after a restart before the server has settled is not leaving.
 */
export class Attendance {
  readonly #stays = new Map<string, Stay[]>();
  readonly outages: Outage[] = [];

  /** The client has heard that it is subscribed. */
  enter(subjects: readonly string[], client: number): void {
    const nowMs = Date.now();
    const outage = this.outages.at(-1);
    for (const subject of subjects) {
      const stays = this.#stays.get(subject) ?? [];
      this.#stays.set(subject, stays);
      const before = stays.findLast((stay) => stay.client === client);
      const isBack = outage !== undefined && before?.toMs === outage.fromMs && nowMs < outage.settledMs;
      stays.push({ client, fromMs: isBack ? outage.fromMs : nowMs, toMs: Number.POSITIVE_INFINITY });
    }
  }

  /** The client begins to leave. */
  leave(subjects: readonly string[], client: number, nowMs: number): void {
    for (const subject of subjects) {
      for (const stay of this.#stays.get(subject) ?? []) {
        if (stay.client === client && stay.toMs === Number.POSITIVE_INFINITY) stay.toMs = nowMs;
      }
    }
  }

  /** A client that was there at some moment of this time, without the ends. */
  during(subject: string, fromMs: number, toMs: number): number | undefined {
    const stays = this.#stays.get(subject) ?? [];
    return stays.find((stay) => stay.fromMs < toMs && stay.toMs > fromMs)?.client;
  }
}
