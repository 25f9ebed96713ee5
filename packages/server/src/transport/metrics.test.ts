import { describe, expect, test } from "bun:test";
import { Tallies } from "#core/tally";
import { Metrics } from "./metrics.ts";

async function linesOf(tallies: Tallies): Promise<string[]> {
  const text = await (await new Metrics(tallies).answer()).text();
  return text.split("\n").filter((line) => line.startsWith("earshot_"));
}

describe("metrics", () => {
  test("show the tallies of each app at the moment of the scrape", async () => {
    const tallies = new Tallies();
    const metrics = new Metrics(tallies);
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
    const text = await (await metrics.answer()).text();
    expect(text.split("\n").filter((line) => line.startsWith("earshot_"))).toEqual([
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
    const lines = await linesOf(tallies);
    expect(lines.filter((line) => line.startsWith("earshot_connections{"))).toEqual([
      'earshot_connections{app="__proto__"} 1',
      'earshot_connections{app="constructor"} 2',
      'earshot_connections{app=""} 3',
    ]);
  });

  test("come in the type that Prometheus reads, with memory and CPU of the process", async () => {
    const answer = await new Metrics(new Tallies()).answer();
    expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const text = await answer.text();
    expect(text).toMatch(/^process_resident_memory_bytes \d{6,}$/m);
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
  });
});

describe("on the main port", () => {
  const ask = (token: string, authorization?: string) =>
    new Metrics(new Tallies()).answerBearer(
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
