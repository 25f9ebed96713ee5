import { describe, expect, test } from "bun:test";
import { ProtocolError } from "@earshot/protocol/errors";
import { Query } from "@earshot/protocol/query";
import type { Outbox, WebhookProgress } from "#core/ports";
import { FixedApps } from "#core/testing/fixed-apps";
import { draft, endpoint, World } from "#core/testing/world";
import { position } from "./position.ts";
import { apiPartsOf } from "./testing/api-parts.ts";
import { but } from "./testing/changed-outbox.ts";

const BOTH = ["channel_occupied", "channel_vacated"] as const;

function progress(endpointId: string, over: Partial<WebhookProgress> = {}): WebhookProgress {
  return {
    endpointId,
    url: `https://${endpointId}.example/`,
    enabled: true,
    waiting: 0,
    oldestWaitingMs: undefined,
    delivered: 0,
    failedAttempts: 0,
    deadLetters: 0,
    collapsed: 0,
    ...over,
  };
}

function positions() {
  const webhooks = [
    endpoint({ id: "e1", events: BOTH }),
    endpoint({ id: "e2", events: [...BOTH, "cache_miss"] }),
    endpoint({ id: "half", events: ["channel_occupied"] }),
    endpoint({ id: "paused", events: BOTH, enabled: false }),
  ];
  const world = new World({ apps: new FixedApps(draft({ webhooks })) });
  const parts = apiPartsOf(world);
  const ask = async (body?: unknown, outbox: Outbox = world.outbox) => {
    const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const request = { app: world.app(), query: new Query(""), body: new TextEncoder().encode(text) };
    const call = { request: new Request("http://h/"), keepOpen: () => undefined };
    const answer = await position({ ...parts, outbox }, request, [], call);
    return answer instanceof ProtocolError
      ? answer
      : { status: answer.status, ...Object(await answer.json()) };
  };
  return { world, parts, ask };
}

describe("the position", () => {
  test("is the newest version, told with the server's time", async () => {
    const { world, ask } = positions();
    const nothing = { endpoints: 0, oldest_undelivered_ms: null, waiting: 0 };
    expect(await ask()).toEqual({ status: 200, position: 0, now_ms: world.clock.wallMs(), ...nothing });
    const version = world.outbox.occupied("4711", "news");
    world.clock.advance(5);
    for (const body of [undefined, {}])
      expect(await ask(body)).toMatchObject({ position: version, now_ms: world.clock.wallMs() });
  });

  test("comes with what waits for the endpoints that are told both of occupied and of vacated channels", async () => {
    const { parts, ask } = positions();
    parts.progress.push(
      progress("e1", { waiting: 2, oldestWaitingMs: 500 }),
      progress("e2", { waiting: 3, oldestWaitingMs: 400 }),
      progress("half", { waiting: 5, oldestWaitingMs: 300 }),
      progress("paused", { waiting: 7, oldestWaitingMs: 200 }),
    );
    expect(await ask({})).toMatchObject({ endpoints: 2, oldest_undelivered_ms: 400, waiting: 5 });
  });

  test("comes with what waits for the endpoint that is named, by its id before its URL", async () => {
    const { parts, ask } = positions();
    parts.progress.push(
      progress("e1", { waiting: 2, oldestWaitingMs: 500, url: "https://same.example/" }),
      progress("e2", { waiting: 3, oldestWaitingMs: 400, url: "https://same.example/" }),
      progress("half", { waiting: 5, oldestWaitingMs: 300, url: "e1" }),
      progress("idle"),
    );
    expect(await ask({ endpoint: "e1" })).toMatchObject({ oldest_undelivered_ms: 500, waiting: 2 });
    expect(await ask({ endpoint: "half" })).toMatchObject({ oldest_undelivered_ms: 300, waiting: 5 });
    expect(await ask({ endpoint: "idle" })).toMatchObject({ oldest_undelivered_ms: null });
    expect(await ask({ endpoint: "https://same.example/" })).toMatchObject({
      endpoints: 2,
      oldest_undelivered_ms: 400,
      waiting: 5,
    });
  });

  test("says that an endpoint which is not told of both can feed no gate", async () => {
    const { parts, ask } = positions();
    parts.progress.push(progress("e1"), progress("half"));
    expect(await ask({ endpoint: "e1" })).toMatchObject({ endpoints: 1 });
    expect(await ask({ endpoint: "half" })).toMatchObject({ endpoints: 0 });
  });

  test("is not told with an endpoint that there is not", async () => {
    const { ask } = positions();
    expect(await ask({ endpoint: "e7" })).toMatchObject({
      reason: "apiEndpointUnknown",
      status: 404,
      message: "The webhook endpoint e7 could not be found",
    });
  });

  test("is not told where it is not known completely", async () => {
    const { world, ask } = positions();
    const problem = new Error("node b2 has not said what it holds");
    for (const answer of [
      () => Promise.reject(problem),
      () => {
        throw problem;
      },
    ]) {
      expect(await ask({}, but(world.outbox, { position: answer }))).toMatchObject({
        status: 503,
        message: expect.stringContaining(problem.message),
      });
    }
  });

  test("is not told while somebody who came waits too long to be announced: a gate must not trust it", async () => {
    const { world, ask } = positions();
    const behind = (lagMs: number) => ask({}, but(world.outbox, { lagMs: () => lagMs }));
    expect(await behind(1_000)).toMatchObject({ status: 200 });
    const answer = await behind(1_001);
    expect(answer).toMatchObject({ status: 503 });
    expect(String(answer.message)).toContain("who came 1001 ms ago is not announced yet");
  });

  test("is not told to a body that is none", async () => {
    const { ask } = positions();
    for (const body of ["{", "[]", '"x"', { endpoint: 7 }, { counters: { sent: "1" } }])
      expect(await ask(body)).toMatchObject({ status: 400 });
  });
});

test("a gate's counters are remembered under its name, and without a name they are not", async () => {
  const { parts, ask } = positions();
  const counters = { sent: 1, saved: 2, caught_up: 3, failed_open: 4 };
  await ask({ counters });
  await ask({ gate: "worker" });
  expect([...parts.gates.all()]).toEqual([]);
  await ask({ gate: "worker", counters });
  expect([...parts.gates.all()]).toEqual([
    { appId: "4711", gate: "worker", counters: { sent: 1, saved: 2, caughtUp: 3, failedOpen: 4 } },
  ]);
});
