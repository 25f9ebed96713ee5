import { LIMIT_OF } from "@earshot/protocol/errors";
import { equalInConstantTime } from "@earshot/protocol/signature";
import { Counter, Gauge, Registry } from "prom-client";
import type { Tallies } from "#core/tally";
import { text } from "./answers.ts";
import { registerWebhookMetrics, type WebhookMetricsParts } from "./webhook-metrics.ts";

/** What Prometheus sees, read at the moment of the scrape: the hot path only adds plain numbers. */
export class Metrics {
  readonly #registry = new Registry();

  constructor(parts: { readonly tallies: Tallies } & WebhookMetricsParts) {
    const { tallies } = parts;
    const registers = [this.#registry];
    const perApp = (name: string, help: string, type: typeof Gauge | typeof Counter, read: TallyField) => {
      const metric = new type({
        name,
        help,
        labelNames: ["app"],
        registers,
        collect: () => {
          metric.reset();
          for (const [app, tally] of tallies.all()) metric.inc({ app }, tally[read]);
        },
      });
    };
    perApp("earshot_connections", "Connections that are open.", Gauge, "connections");
    perApp("earshot_subscriptions", "Subscriptions that exist.", Gauge, "subscriptions");
    perApp("earshot_signed_in_users", "Users who are signed in on this process.", Gauge, "signedInUsers");
    perApp("earshot_connections_opened_total", "Connections that were let in.", Counter, "connectionsOpened");
    perApp("earshot_messages_received_total", "Messages from clients.", Counter, "messagesReceived");
    perApp(
      "earshot_api_messages_total",
      "Events published by the API, one a channel.",
      Counter,
      "apiMessages",
    );
    perApp("earshot_client_messages_total", "Events published by clients.", Counter, "clientMessages");
    perApp("earshot_deliveries_total", "Frames that were due to subscribers.", Counter, "deliveries");
    const refusals = new Counter({
      name: "earshot_refusals_total",
      help: "What was refused, by reason; docs/protocol/errors.md lists the reasons.",
      labelNames: ["app", "reason", "limit"],
      registers,
      collect: () => {
        refusals.reset();
        for (const [app, tally] of tallies.all()) {
          for (const [reason, count] of tally.refusals) {
            refusals.inc({ app, reason, limit: LIMIT_OF[reason] ?? "" }, count);
          }
        }
      },
    });
    const requests = new Counter({
      name: "earshot_api_requests_total",
      help: "Requests to the HTTP API, by endpoint and status.",
      labelNames: ["app", "endpoint", "status"],
      registers,
      collect: () => {
        requests.reset();
        for (const [app, tally] of tallies.all()) {
          for (const [endpoint, byStatus] of tally.apiRequests) {
            for (const [status, count] of byStatus) requests.inc({ app, endpoint, status }, count);
          }
        }
      },
    });
    registerWebhookMetrics(this.#registry, parts);
    const memory: Gauge = new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory of the process.",
      registers,
      collect: () => {
        memory.set(process.memoryUsage.rss());
      },
    });
    const cpu = new Counter({
      name: "process_cpu_seconds_total",
      help: "CPU time of the process.",
      registers,
      collect: () => {
        const { user, system } = process.cpuUsage();
        cpu.reset();
        cpu.inc((user + system) / 1_000_000);
      },
    });
  }

  async answer(): Promise<Response> {
    return new Response(await this.#registry.metrics(), {
      headers: { "Content-Type": this.#registry.contentType },
    });
  }

  /** On the main port the numbers are for the bearer of the token only. */
  async answerBearer(request: Request, token: string): Promise<Response> {
    if (token === "")
      return text(404, "Metrics are off here: set metrics.token, or metrics.port for a port of their own.\n");
    const given = request.headers.get("authorization") ?? "";
    if (equalInConstantTime(`Bearer ${token}`, given)) return this.answer();
    return new Response(
      "Unauthorized: send Authorization: Bearer TOKEN, with the value of metrics.token.\n",
      {
        status: 401,
        headers: { "WWW-Authenticate": "Bearer" },
      },
    );
  }
}

type TallyField =
  | "connections"
  | "subscriptions"
  | "signedInUsers"
  | "connectionsOpened"
  | "messagesReceived"
  | "apiMessages"
  | "clientMessages"
  | "deliveries";
