import { Counter, Gauge, type Registry } from "prom-client";
import type { AppStore, Clock, WebhookProgress, WebhookStatus } from "#core/ports";
import type { GateReports } from "./gate-reports.ts";

/** How the outbox fares: it holds what could not be written yet, and gives up what is too much. */
export interface OutboxHealth {
  readonly held: number;
  readonly dropped: number;
  readonly isFailing: boolean;
}

export interface WebhookMetricsParts {
  readonly apps: AppStore;
  readonly webhookStatus: WebhookStatus;
  readonly gates: GateReports;
  readonly clock: Pick<Clock, "wallMs">;
  readonly outboxHealth?: () => OutboxHealth;
}

type Kind = typeof Gauge | typeof Counter;

/** What back-ends are told, and how late: read at the moment of the scrape. */
export function registerWebhookMetrics(registry: Registry, parts: WebhookMetricsParts): void {
  registerEndpoints(registry, parts);
  registerGates(registry, parts.gates);
  if (parts.outboxHealth !== undefined) registerOutbox(registry, parts.outboxHealth);
}

function registerEndpoints(registry: Registry, { apps, webhookStatus, clock }: WebhookMetricsParts): void {
  const perEndpoint = (name: string, help: string, type: Kind, read: (of: WebhookProgress) => number) => {
    const metric = new type({
      name: `earshot_webhook_${name}`,
      help,
      labelNames: ["app", "endpoint"],
      registers: [registry],
      collect: () => {
        metric.reset();
        for (const { id } of apps.all())
          for (const progress of webhookStatus.progress(id))
            metric.inc({ app: id, endpoint: progress.endpointId }, read(progress));
      },
    });
  };
  const ageSeconds = (sinceMs: number) => Math.max(0, clock.wallMs() - sinceMs) / 1_000;
  perEndpoint("waiting", "Events that wait for the endpoint.", Gauge, ({ waiting }) => waiting);
  perEndpoint(
    "oldest_waiting_seconds",
    "Since when the oldest of them waits; 0 where none does.",
    Gauge,
    ({ oldestWaitingMs }) => (oldestWaitingMs === undefined ? 0 : ageSeconds(oldestWaitingMs)),
  );
  perEndpoint("dead_letters", "Events that were given up and are kept.", Gauge, (of) => of.deadLetters);
  perEndpoint("delivered_total", "Events that the endpoint took.", Counter, ({ delivered }) => delivered);
  perEndpoint(
    "failed_attempts_total",
    "Requests that the endpoint did not answer with 2xx.",
    Counter,
    ({ failedAttempts }) => failedAttempts,
  );
  perEndpoint(
    "collapsed_total",
    "Events that gave way to a newer state because too many waited.",
    Counter,
    ({ collapsed }) => collapsed,
  );
}

const GATE_COUNTERS = [
  ["sent", "sent", "Calls of the gate that it sent on."],
  ["saved", "saved", "Calls that it spared, because nobody listened."],
  ["caught_up", "caughtUp", "Calls that it kept, and sent when somebody came."],
  ["failed_open", "failedOpen", "Calls that it sent because it did not know who listens."],
] as const;

/** Gauges, because a gate that starts anew begins at 0, and one that is silent is forgotten. */
function registerGates(registry: Registry, gates: GateReports): void {
  for (const [name, field, help] of GATE_COUNTERS) {
    const gauge: Gauge = new Gauge({
      name: `earshot_gate_${name}`,
      help,
      labelNames: ["app", "gate"],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const { appId, gate, counters } of gates.all()) gauge.set({ app: appId, gate }, counters[field]);
      },
    });
  }
}

function registerOutbox(registry: Registry, health: () => OutboxHealth): void {
  const one = (name: string, help: string, type: Kind, read: (of: OutboxHealth) => number) => {
    const metric = new type({
      name: `earshot_outbox_${name}`,
      help,
      registers: [registry],
      collect: () => {
        metric.reset();
        metric.inc(read(health()));
      },
    });
  };
  one("held", "Events that wait because the outbox cannot be written.", Gauge, ({ held }) => held);
  one("dropped_total", "Events that were given up because too many were held.", Counter, (of) => of.dropped);
  one("failing", "1 while the outbox cannot be written.", Gauge, ({ isFailing }) => (isFailing ? 1 : 0));
}
