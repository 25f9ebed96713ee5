/** What an operator changes beside a running server takes effect on those who are connected, without a restart. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { callApi, publish } from "../support/api.ts";
import { type Earshot, startEarshot, TEST_APP } from "../support/earshot.ts";
import { connectRaw, type RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { runEarshot } from "./program.ts";

const NEIGHBOUR = { id: "8", key: "neighbour-key", secret: "neighbour-secret" };

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot({ apps: [TEST_APP, NEIGHBOUR] });
});

afterAll(() => earshot.stop());

beforeEach(() =>
  earshot.updateApp(
    ...[
      "--enabled",
      "true",
      "--tls-only",
      "false",
      "--client-events",
      "false",
      "--max-connections",
      "default",
    ],
    ...["--subscription-count", "false", "--max-event-bytes", "default", "--allowed-origin", ""],
  ),
);

const clients = new Set<RawClient>();

async function connect(key = TEST_APP.key): Promise<RawClient> {
  const client = await connectRaw(earshot, { key });
  clients.add(client);
  return client;
}

afterEach(async () => {
  for (const client of clients) client.close();
  for (const client of clients) await client.closed;
  clients.clear();
});

/** Tries until a new connection is answered in this way: 0 is a welcome. */
async function untilNewcomersGet(code: number, key = TEST_APP.key): Promise<void> {
  await until(`a new connection gets ${code || "a welcome"}`, async () => {
    const client = await connectRaw(earshot, { key });
    if (client.socketId === "") return (await client.closed).code === code;
    client.close();
    return code === 0;
  });
}

test("a disabled app closes its connections with 4003 and lets nobody in; its neighbour notices nothing", async () => {
  const client = await connect();
  const neighbour = await connect(NEIGHBOUR.key);
  await earshot.updateApp("--enabled", "false");
  expect(await client.closed).toEqual({ code: 4003, reason: "Application disabled" });
  expect((await client.next("pusher:error")).data).toMatchObject({
    code: 4003,
    message: "Application disabled",
  });
  await untilNewcomersGet(4003);
  const refused = await callApi(earshot, "GET", "/channels");
  expect([refused.status, refused.text]).toEqual([403, expect.stringContaining("Application disabled")]);

  await neighbour.subscribe("news");
  await publish({ ...earshot, app: NEIGHBOUR }, "news", "greeting", "still here");
  expect((await neighbour.next("greeting")).data).toBe("still here");

  await earshot.updateApp("--enabled", "true");
  await untilNewcomersGet(0);
});

test("client events are switched on and off under a living connection", async () => {
  const sender = await connect();
  const receiver = await connect();
  for (const client of [sender, receiver]) await client.subscribe("private-room");
  const say = (word: string) =>
    sender.send({ event: "client-word", channel: "private-room", data: { word } });

  say("too early");
  expect((await sender.next("pusher:error")).data).toMatchObject({ reason: "clientEventsDisabled" });
  await earshot.updateApp("--client-events", "true");
  await until("the switch has taken effect", async () => {
    say("now");
    await sender.settled();
    await receiver.settled();
    return receiver.frames.some(({ event }) => event === "client-word");
  });
  await earshot.updateApp("--client-events", "false");
  await until("and back", async () => {
    const before = sender.frames.length;
    say("too late");
    await sender.settled();
    return sender.frames.slice(before).some(({ event }) => event === "pusher:error");
  });
});

test("a lowered number of connections is for newcomers: 4004", async () => {
  const [one, other] = [await connect(), await connect()];
  await earshot.updateApp("--max-connections", "2");
  await untilNewcomersGet(4004);
  for (const client of [one, other]) await client.settled();
  one.close();
  await untilNewcomersGet(0);
});

test("a smaller event size is refused by the API from then on", async () => {
  await earshot.updateApp("--max-event-bytes", "10");
  const body = { name: "e", channels: ["news"], data: "12345678901" };
  await until("the limit has taken effect", async () => {
    return (await callApi(earshot, "POST", "/events", { body })).status === 413;
  });
  const refused = await callApi(earshot, "POST", "/events", { body });
  expect(refused.text).toContain("(10 bytes)");
  expect(refused.text).toContain("limit: 10; actual: 11");
});

test("subscription counts are switched on under a living connection", async () => {
  const client = await connect();
  await client.subscribe("counted");
  await earshot.updateApp("--subscription-count", "true");
  await until("the others are counted", async () => {
    const other = await connect();
    await other.subscribe("counted");
    await client.settled();
    other.close();
    return client.frames.some(({ event }) => event === "pusher_internal:subscription_count");
  });
});

test("an added key works; a revoked one works nowhere, and its connections stay", async () => {
  const rotated = await runEarshot(["apps", "rotate-key", NEIGHBOUR.id, "--json", "--data", earshot.dataDir]);
  const pair = JSON.parse(rotated.stdout).keys.find((one: { secret?: string }) => one.secret !== undefined);
  const renewed = { ...earshot, app: { id: NEIGHBOUR.id, key: pair.key, secret: pair.secret } };
  await untilNewcomersGet(0, pair.key);
  const old = await connect(NEIGHBOUR.key);

  const revoked = await runEarshot([
    "apps",
    "revoke-key",
    NEIGHBOUR.id,
    NEIGHBOUR.key,
    "--data",
    earshot.dataDir,
  ]);
  expect(revoked.exitCode).toBe(0);
  await untilNewcomersGet(4001, NEIGHBOUR.key);
  const refused = await callApi({ ...earshot, app: NEIGHBOUR }, "GET", "/channels");
  expect([refused.status, refused.text]).toEqual([401, expect.stringContaining("Unknown auth_key")]);
  const oldAuth = await old.subscribe("private-x");
  expect(oldAuth.event).toBe("pusher:error");

  await old.subscribe("news");
  await publish(renewed, "news", "greeting", "signed with the new key");
  expect((await old.next("greeting")).data).toBe("signed with the new key");
});

test("a deleted app closes its connections with 4001", async () => {
  const made = await runEarshot(["apps", "create", "--json", "--data", earshot.dataDir]);
  const app = JSON.parse(made.stdout);
  const [{ key }] = app.keys;
  await untilNewcomersGet(0, key);
  const client = await connect(key);
  expect((await runEarshot(["apps", "delete", app.id, "--data", earshot.dataDir])).exitCode).toBe(0);
  expect((await client.closed).code).toBe(4001);
  await untilNewcomersGet(4001, key);
});
