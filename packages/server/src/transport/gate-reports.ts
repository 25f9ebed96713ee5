import type { GateCounters } from "@earshot/protocol/occupancy";
import type { Clock } from "#core/ports";

const MAX_GATES_PER_APP = 100; // ours: a label of metrics each
const FORGOTTEN_AFTER_MS = 60_000; // ours: gates report once a second

interface Report {
  readonly counters: GateCounters;
  readonly atMs: number;
}

/** What gates said of themselves lately, by app and by the name that a gate gives itself. */
export class GateReports {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #byApp = new Map<string, Map<string, Report>>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  report(appId: string, gate: string, counters: GateCounters): void {
    const reports = this.#byApp.get(appId) ?? new Map<string, Report>();
    this.#byApp.set(appId, reports);
    reports.delete(gate); // so that the order is that of the last reports
    reports.set(gate, { counters, atMs: this.#clock.monotonicMs() });
    const [oldest] = reports.keys();
    if (reports.size > MAX_GATES_PER_APP && oldest !== undefined) reports.delete(oldest);
  }

  /** Those that were heard of within the last minute. */
  *all(): Generator<{ readonly appId: string; readonly gate: string; readonly counters: GateCounters }> {
    const sinceMs = this.#clock.monotonicMs() - FORGOTTEN_AFTER_MS;
    for (const [appId, reports] of this.#byApp) {
      for (const [gate, { counters, atMs }] of reports) {
        if (atMs < sinceMs) reports.delete(gate);
        else yield { appId, gate, counters };
      }
      if (reports.size === 0) this.#byApp.delete(appId);
    }
  }
}
