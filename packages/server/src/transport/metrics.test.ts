import { describe, expect, test } from "bun:test";
import type { WebhookProgress } from "#core/ports";
import { Tallies } from "#core/tally";
import { FixedApps } from "#core/testing/fixed-apps";
import { ManualClock } from "#core/testing/manual-clock";
import { draft } from "#core/testing/world";
import { GateReports } from "./gate-reports.ts";
import { Metrics } from "./metrics.ts";
import type { OutboxHealth } from "./webhook-metrics.ts";

function metricsOf(tallies = new Tallies(), outboxHealth?: () => OutboxHealth) {
  const clock = new ManualClock();
  const gates = new GateReports(clock);
  const progress = new Map<string, WebhookProgress[]>();
  const metrics = new Metrics({
    tallies,
    apps: new FixedApps(draft(), draft({ id: "4712", keys: [] })),
    webhookStatus: { progress: (appId) => progress.get(appId) ?? [] },
    gates,
    clock,
    ...(outboxHealth !== undefined && { outboxHealth }),
  });
  const lines = async () => {
    const text = await (await metrics.answer()).text();
    return text.split("\n").filter((line) => line.startsWith("earshot_"));
  };
  return { clock, gates, progress, metrics, lines };
}

describe("metrics", () => {
  test("show the tallies of each app at the moment of the scrape", async () => {
    const tallies = new Tallies();
    const { metrics, lines } = metricsOf(tallies);
    const tally = tallies.of("4711");
    tally.connections = 2;
    tally.connectionsOpened = 3;
    tally.subscriptions = 4;
    tally.signedInUsers = 2;
    tally.messagesReceived = 5;
    tally.apiMessages = 6;
    tally.clientMessages = 7;
    tally.deliveries = 8;
    tally.refused("presenceFull");
    tally.requested("events", 200);
    tally.requested("events", 413);
    await metrics.answer();
    tally.deliveries = 9;
    tally.connections = 1;
    expect(await lines()).toEqual([
      'earshot_connections{app="4711"} 1',
      'earshot_subscriptions{app="4711"} 4',
      'earshot_signed_in_users{app="4711"} 2',
      'earshot_connections_opened_total{app="4711"} 3',
      'earshot_messages_received_total{app="4711"} 5',
      'earshot_api_messages_total{app="4711"} 6',
      'earshot_client_messages_total{app="4711"} 7',
      'earshot_deliveries_total{app="4711"} 9',
      'earshot_refusals_total{app="4711",reason="presenceFull",limit="maxPresenceMembers"} 1',
      'earshot_api_requests_total{app="4711",endpoint="events",status="200"} 1',
      'earshot_api_requests_total{app="4711",endpoint="events",status="413"} 1',
    ]);
  });

  test("keep apps apart, also one called __proto__", async () => {
    const tallies = new Tallies();
    for (const [app, count] of [
      ["__proto__", 1],
      ["constructor", 2],
      ["", 3],
    ] as const)
      tallies.of(app).connections = count;
    const { lines } = metricsOf(tallies);
    expect((await lines()).filter((line) => line.startsWith("earshot_connections{"))).toEqual([
      'earshot_connections{app="__proto__"} 1',
      'earshot_connections{app="constructor"} 2',
      'earshot_connections{app=""} 3',
    ]);
  });

  test("come in the type that Prometheus reads, with memory and CPU of the process", async () => {
    const answer = await metricsOf().metrics.answer();
    expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const text = await answer.text();
    expect(text).toMatch(/^process_resident_memory_bytes \d{6,}$/m);
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
  });
});

describe("of webhooks", () => {
  const endpoint = (over: Partial<WebhookProgress>): WebhookProgress => ({
    endpointId: "e1",
    url: "https://receiver.example/",
    enabled: true,
    waiting: 0,
    oldestWaitingMs: undefined,
    delivered: 0,
    failedAttempts: 0,
    deadLetters: 0,
    collapsed: 0,
    ...over,
  });

  test("say of each endpoint what it waits for and what became of it", async () => {
    const { clock, progress, lines } = metricsOf();
    progress.set("4711", [
      endpoint({
        waiting: 3,
        oldestWaitingMs: clock.wallMs() - 1_500,
        delivered: 7,
        failedAttempts: 2,
        deadLetters: 1,
        collapsed: 5,
      }),
      endpoint({ endpointId: "e2", oldestWaitingMs: clock.wallMs() + 60_000 }),
    ]);
    progress.set("4712", [endpoint({ delivered: 1 })]);
    expect(await lines()).toEqual([
      'earshot_webhook_waiting{app="4711",endpoint="e1"} 3',
      'earshot_webhook_waiting{app="4711",endpoint="e2"} 0',
      'earshot_webhook_waiting{app="4712",endpoint="e1"} 0',
      'earshot_webhook_oldest_waiting_seconds{app="4711",endpoint="e1"} 1.5',
      'earshot_webhook_oldest_waiting_seconds{app="4711",endpoint="e2"} 0',
      'earshot_webhook_oldest_waiting_seconds{app="4712",endpoint="e1"} 0',
      'earshot_webhook_dead_letters{app="4711",endpoint="e1"} 1',
      'earshot_webhook_dead_letters{app="4711",endpoint="e2"} 0',
      'earshot_webhook_dead_letters{app="4712",endpoint="e1"} 0',
      'earshot_webhook_delivered_total{app="4711",endpoint="e1"} 7',
      'earshot_webhook_delivered_total{app="4711",endpoint="e2"} 0',
      'earshot_webhook_delivered_total{app="4712",endpoint="e1"} 1',
      'earshot_webhook_failed_attempts_total{app="4711",endpoint="e1"} 2',
      'earshot_webhook_failed_attempts_total{app="4711",endpoint="e2"} 0',
      'earshot_webhook_failed_attempts_total{app="4712",endpoint="e1"} 0',
      'earshot_webhook_collapsed_total{app="4711",endpoint="e1"} 5',
      'earshot_webhook_collapsed_total{app="4711",endpoint="e2"} 0',
      'earshot_webhook_collapsed_total{app="4712",endpoint="e1"} 0',
    ]);
    progress.delete("4711");
    progress.delete("4712");
    expect(await lines()).toEqual([]);
  });

  test("repeat what gates report, under the name that they give themselves", async () => {
    const { gates, lines } = metricsOf();
    gates.report("4711", 'a"b\nc', { sent: 1, saved: 2, caughtUp: 3, failedOpen: 4 });
    expect(await lines()).toEqual([
      'earshot_gate_sent{app="4711",gate="a\\"b\\nc"} 1',
      'earshot_gate_saved{app="4711",gate="a\\"b\\nc"} 2',
      'earshot_gate_caught_up{app="4711",gate="a\\"b\\nc"} 3',
      'earshot_gate_failed_open{app="4711",gate="a\\"b\\nc"} 4',
    ]);
  });

  test("say whether the outbox can be written", async () => {
    let health = { held: 0, dropped: 0, isFailing: false };
    const { lines } = metricsOf(undefined, () => health);
    expect(await lines()).toEqual([
      "earshot_outbox_held 0",
      "earshot_outbox_dropped_total 0",
      "earshot_outbox_failing 0",
    ]);
    health = { held: 5, dropped: 6, isFailing: true };
    expect(await lines()).toEqual([
      "earshot_outbox_held 5",
      "earshot_outbox_dropped_total 6",
      "earshot_outbox_failing 1",
    ]);
  });
});

describe("on the main port", () => {
  const ask = (token: string, authorization?: string) =>
    metricsOf().metrics.answerBearer(
      new Request("http://h/metrics", authorization === undefined ? {} : { headers: { authorization } }),
      token,
    );

  test("are for the bearer of the token", async () => {
    expect((await ask("t0ken", "Bearer t0ken")).status).toBe(200);
    for (const authorization of [
      undefined,
      "",
      "t0ken",
      "Bearer",
      "Bearer ",
      "Bearer t0kem",
      "Basic t0ken",
      "Bearer t0kenn",
    ]) {
      const answer = await ask("t0ken", authorization);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(await answer.text()).not.toContain("t0ken");
    }
  });

  test("are not there without a token", async () => {
    for (const authorization of [undefined, "Bearer ", "Bearer"]) {
      expect((await ask("", authorization)).status).toBe(404);
    }
  });
});
