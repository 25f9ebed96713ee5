/** Section L of the client checklist: the HTTP fallback. @see docs/protocol/checklist.md */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { publish } from "../../support/api.ts";
import { type Earshot, startEarshot, TEST_APP } from "../../support/earshot.ts";
import { FallbackClient, framesIn } from "../../support/fallback-client.ts";
import { connected, disconnectPushers, heard, makePusher, once } from "../../support/pusher-client.ts";
import { authFor } from "../../support/raw-client.ts";
import { until } from "../../support/until.ts";

const TRANSPORTS = ["xhr_streaming", "xhr_polling"] as const;
type Transport = (typeof TRANSPORTS)[number];

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot({ args: ["--prefix", "/realtime"] });
  await earshot.updateApp("--client-events", "true");
});
afterEach(disconnectPushers);
afterAll(() => earshot.stop());

function pusherOver(transport: Transport, options: Parameters<typeof makePusher>[1] = {}) {
  const at = { httpHost: earshot.host, httpPort: earshot.port };
  return makePusher(earshot, { ...at, enabledTransports: [transport], ...options });
}

const PING = { event: "pusher:ping", data: {} };
const openings = (text: string) => text.split("\n").filter((line) => line.startsWith("o")).length;

test("L109: o comes once in a session, over polls and over streams, and an unknown session is a new one", async () => {
  const client = new FallbackClient(earshot);
  expect(await client.poll()).toMatch(/^o\na\["\{\\"event\\":\\"pusher:connection_established\\".*\n$/);
  await client.send([PING]);
  expect(await client.poll()).toMatch(/^a\[.*pusher:pong.*\n$/);

  const [first, second] = [await client.stream(), await client.stream()];
  await first.ended;
  await client.send([PING]);
  await second.inbox.next("pusher:pong");
  expect([openings(first.text()), openings(second.text())]).toEqual([0, 0]);

  const stranger = new FallbackClient(earshot);
  const opened = await stranger.stream();
  await opened.inbox.next("pusher:connection_established");
  expect(opened.text()).toMatch(/^h{2048}\no\na\[/);
  for (const stream of [second, opened]) stream.abort();
});

test("L109: pusher-js notices a server that was started again, and comes back with its channels", async () => {
  const other = await startEarshot();
  try {
    for (const transport of TRANSPORTS) {
      const client = makePusher(other, {
        httpHost: other.host,
        httpPort: other.port,
        enabledTransports: [transport],
      });
      const channel = client.subscribe("news");
      await once(channel, "pusher:subscription_succeeded");
      const back = once(channel, "pusher:subscription_succeeded");
      await other.kill();
      await other.restart();
      await back;
    }
  } finally {
    disconnectPushers();
    await other.stop();
  }
});

test("L109: the session is the same under /pusher, bare and under a configured prefix", async () => {
  const session = "7/0123abcd";
  const bases = ["/pusher", "", "/realtime", "/realtime/pusher"];
  const clients = bases.map((base) => new FallbackClient(earshot, { base, session }));
  for (const [at, client] of clients.entries()) {
    client.number = at;
    expect(openings(await client.poll())).toBe(at === 0 ? 1 : 0);
    client.number = at + 10;
    expect(await clients[0]?.send([])).toBe(204);
  }
  expect((await new FallbackClient(earshot, { base: "/elsewhere" }).post("xhr")).status).toBe(404);
});

test("L110: a stream is not ended by the server, and h comes before 25 seconds have passed", async () => {
  const client = new FallbackClient(earshot);
  const stream = await client.stream();
  await stream.inbox.next("pusher:connection_established");
  await client.send([client.subscribeMessage("long")]);
  await stream.inbox.next("pusher_internal:subscription_succeeded");
  for (let sent = 0; sent < 20; sent++) await publish(earshot, "long", "large", "x".repeat(10_000));
  const beganMs = performance.now();
  await until("a heartbeat", () => stream.text().endsWith("\nh\n"), 26_000);
  expect(performance.now() - beganMs).toBeGreaterThan(20_000);
  await publish(earshot, "long", "after", "x");
  await stream.inbox.next("after");
  stream.abort();
});

test.each(TRANSPORTS)(
  "L111: pusher-js misses nothing of 2 MB that are published while it re-opens: %s",
  async (transport) => {
    const channel = pusherOver(transport).subscribe("sequence");
    await once(channel, "pusher:subscription_succeeded");
    const got = heard(channel, "number");
    const all = Array.from({ length: 2_000 }, (_, at) => at);
    for (const at of all)
      await publish(earshot, "sequence", "number", JSON.stringify({ at, fill: "é".repeat(1_000) }));
    await until("all have come", () => got.length >= all.length);
    expect(
      got.map((data) => (typeof data === "object" && data !== null && "at" in data ? data.at : data)),
    ).toEqual(all);
  },
);

test("L111: above 262144 characters nothing is written until the stream is opened again, and all that was kept follows", async () => {
  const client = new FallbackClient(earshot);
  const first = await client.stream();
  await first.inbox.next("pusher:connection_established");
  await client.send([client.subscribeMessage("rolled")]);
  await first.inbox.next("pusher_internal:subscription_succeeded");
  for (let sent = 0; sent < 60; sent++) await publish(earshot, "rolled", `e${sent}`, "é".repeat(5_000));
  await until("the stream is full", () => first.text().length > 262_144);
  await Bun.sleep(200);
  const before = framesIn(first.text());
  expect(first.text().length - (before.at(-1)?.raw.length ?? 0)).toBeLessThan(262_144 + 100);
  const second = await client.stream(); // before the first has gone, as it may happen to a page
  first.abort();
  await second.inbox.next("e59");
  const events = [...before, ...second.inbox.frames]
    .map(({ event }) => event)
    .filter((name) => /^e\d/.test(name));
  expect(events).toEqual(Array.from({ length: 60 }, (_, at) => `e${at}`));
  second.abort();
});

test("L111: a stream that is full and never opened again is the end of the session", async () => {
  const client = new FallbackClient(earshot);
  const stream = await client.stream();
  await stream.inbox.next("pusher:connection_established");
  await client.send([client.subscribeMessage("abandoned")]);
  await stream.inbox.next("pusher_internal:subscription_succeeded");
  for (let sent = 0; sent < 30; sent++) await publish(earshot, "abandoned", "e", "x".repeat(10_000));
  await stream.ended;
  expect(await client.send([])).toBe(404);
});

test("L112: [] is answered by a[], never by h, over streams and over polls", async () => {
  const client = new FallbackClient(earshot);
  const stream = await client.stream();
  await stream.inbox.next("pusher:connection_established");
  const from = stream.text().length;
  expect(await client.send([])).toBe(204);
  await until("the answer", () => stream.text().length > from);
  expect(await client.send([])).toBe(204);
  await until("the second answer", () => stream.text().slice(from) === "a[]\na[]\n");
  stream.abort();

  const polling = new FallbackClient(earshot);
  await polling.poll();
  const waiting = polling.poll();
  await polling.send([]);
  expect(await waiting).toBe("a[]\n");
});

test.each(TRANSPORTS)(
  "L112: pusher-js that pings after a short silence lives on the answer: %s",
  async (transport) => {
    const client = pusherOver(transport, { activityTimeout: 500, pongTimeout: 1_000 });
    await connected(client);
    const changes = heard(client.connection, "state_change");
    await Bun.sleep(5_000);
    expect(changes).toEqual([]);
    expect(client.connection.state).toBe("connected");
  },
);

test("L113: preflights are answered with 204 on each of the three paths, under every prefix", async () => {
  for (const base of ["/pusher", "", "/realtime"]) {
    for (const action of ["xhr_streaming", "xhr", "xhr_send"]) {
      const client = new FallbackClient(earshot, { base });
      const { status, headers } = await fetch(client.url(action), {
        method: "OPTIONS",
        headers: {
          Origin: "https://shop.example.com",
          "Access-Control-Request-Method": "POST",
          "Access-Control-Request-Headers": "content-type",
        },
      });
      expect([base, action, status]).toEqual([base, action, 204]);
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-methods")).toBe("POST, OPTIONS");
      expect(headers.get("access-control-allow-headers")).toBe("content-type");
    }
  }
});

test("L113: every answer may be read by any page, refusals too", async () => {
  const client = new FallbackClient(earshot, { headers: { Origin: "https://shop.example.com" } });
  const wrong = new FallbackClient(earshot, { session: "1/WRONG" });
  const answers = await Promise.all([
    client.post("xhr"),
    client.post("xhr_send", "[]", 9),
    client.post("xhr_send", "not JSON", 10),
    client.post("xhr_send", `["${"x".repeat(3_000_000)}"]`, 11),
    new FallbackClient(earshot).post("xhr_send", "[]"),
    wrong.post("xhr"),
    wrong.post("xhr_streaming"),
  ]);
  for (const { headers } of answers) expect(headers.get("access-control-allow-origin")).toBe("*");
  expect(answers.map(({ status }) => status).slice(2)).toEqual([400, 413, 404, 404, 404]);
});

test.each(TRANSPORTS)(
  "L114: a refusal is o, the error and c with status 200; pusher-js stays disconnected: %s",
  async (transport) => {
    const stranger = { ...earshot, app: { ...TEST_APP, key: "nobody" } };
    const raw = new FallbackClient(stranger);
    const response = await raw.post(transport === "xhr_polling" ? "xhr" : "xhr_streaming");
    expect(response.status).toBe(200);
    const message = "App key nobody not in this cluster. Did you forget to specify the cluster?";
    const [prelude, ...lines] = (await response.text()).split("\n");
    const [opening, error = "", closing, end] = transport === "xhr_polling" ? [prelude, ...lines] : lines;
    expect([opening, closing, end]).toEqual(["o", `c[4001,${JSON.stringify(message)}]`, ""]);
    expect(framesIn(error)[0]).toMatchObject({ event: "pusher:error", data: { code: 4001, message } });

    const client = makePusher(stranger, {
      httpHost: earshot.host,
      httpPort: earshot.port,
      enabledTransports: [transport],
    });
    const errors = heard(client.connection, "error");
    await until("the client gives up", () => client.connection.state === "disconnected");
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ error: { data: { code: 4001 } } });
  },
);

test("L115: posts that arrive in any order do not break subscribe and then client event", async () => {
  const listener = pusherOver("xhr_streaming", {
    channelAuthorization: {
      transport: "ajax",
      endpoint: "",
      customHandler: ({ socketId, channelName }, callback) =>
        callback(null, { auth: authFor(earshot, socketId, channelName) }),
    },
  });
  const channel = listener.subscribe("private-chat");
  await once(channel, "pusher:subscription_succeeded");
  const typed = heard(channel, "client-typing");

  const client = new FallbackClient(earshot);
  const stream = await client.stream();
  await stream.inbox.next("pusher:connection_established");
  const subscribe = client.subscribeMessage("private-chat");
  const events = [3, 4, 5].map((at) => ({ event: "client-typing", channel: "private-chat", data: { at } }));
  expect(await client.send(events.slice(2), 5)).toBe(204);
  expect(await client.send(events.slice(0, 1), 3)).toBe(204);
  expect(await client.send(events.slice(1, 2), 4)).toBe(204);
  expect(await client.send([subscribe], 2)).toBe(204);
  await until("all three have come", () => typed.length === 3);
  expect(typed).toEqual([{ at: 3 }, { at: 4 }, { at: 5 }]);
  expect(stream.inbox.frames.map(({ event }) => event)).not.toContain("pusher:error");
  stream.abort();
});

test("L115: a post that is repeated acts once, and a number that is never used holds nothing up for long", async () => {
  const client = new FallbackClient(earshot);
  const stream = await client.stream();
  await stream.inbox.next("pusher:connection_established");
  for (let copy = 0; copy < 3; copy++) expect(await client.send([PING], 2)).toBe(204);
  expect(await client.send([PING], 9)).toBe(204);
  await until(
    "both pongs",
    () => stream.inbox.frames.filter(({ event }) => event === "pusher:pong").length >= 2,
  );
  expect(await client.send([PING], 9)).toBe(204);
  expect(await client.send([client.subscribeMessage("news")], 10)).toBe(204);
  await stream.inbox.next("pusher_internal:subscription_succeeded");
  expect(stream.inbox.frames.filter(({ event }) => event === "pusher:pong")).toHaveLength(2);
  stream.abort();
});
