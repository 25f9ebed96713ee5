/** Section B of the client checklist: liveness. @see docs/protocol/checklist.md */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { PING } from "@earshot/protocol/server-message";
import { callApi, publish } from "../../support/api.ts";
import { pusherFor } from "../../support/authorizer.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { connected, disconnectPushers, heard, makePusher } from "../../support/pusher-client.ts";
import { connectRaw, dataOf, socketIdOf } from "../../support/raw-client.ts";
import { startRelay } from "../../support/relay.ts";
import { connectTcp, OPCODE, type TcpClient } from "../../support/tcp-client.ts";
import { until } from "../../support/until.ts";

/** Its times are short, so that a probe and its end can be waited for. */
let brisk: Earshot;
/** Its times are the documented ones. */
let calm: Earshot;

beforeAll(async () => {
  const args = ["--socket-activity-timeout-seconds", "1", "--socket-pong-timeout-seconds", "1"];
  [brisk, calm] = await Promise.all([startEarshot({ args }), startEarshot()]);
});
afterEach(disconnectPushers);
afterAll(async () => {
  await Promise.all([brisk.stop(), calm.stop()]);
});

const PROBE_MS = 10_000;

test("B11: a ping frame is answered by a pong frame with the same content", async () => {
  const tcp = await connectTcp(calm);
  for (const content of ["", "hello", "\u0000\u2028 é", "x".repeat(125)]) {
    tcp.sendFrame(OPCODE.ping, content);
    expect((await tcp.next("(pong)")).data).toBe(content);
  }
  tcp.destroy();
});

test("B11: dotnet's ping frame every second, and many at once, are all answered, and nothing else is said", async () => {
  const tcp = await connectTcp(calm, { query: "protocol=5&client=pusher-dotnet-client&version=2.3.0" });
  await tcp.next("pusher:connection_established");
  for (let at = 0; at < 100; at++) tcp.sendFrame(OPCODE.ping, String(at));
  for (let at = 0; at < 100; at++) expect((await tcp.next("(pong)")).data).toBe(String(at));
  for (let at = 0; at < 3; at++) {
    await Bun.sleep(1_000); // the client's own interval
    tcp.sendFrame(OPCODE.ping);
    await tcp.next("(pong)");
  }
  expect(tcp.frames).toHaveLength(104);
  tcp.destroy();
});

test("B12: pusher:ping with data is answered by pusher:pong with data", async () => {
  const raw = await connectRaw(calm);
  raw.send('{"event":"pusher:ping","data":{}}');
  expect((await raw.next("pusher:pong")).raw).toBe('{"event":"pusher:pong","data":"{}"}');
  raw.close();
});

test("B12: pusher-js pings after activity_timeout of silence, and lives on the answer", async () => {
  const relay = startRelay(brisk);
  const client = makePusher(brisk, { pongTimeout: 5_000 }, relay);
  await connected(client);
  const messages = heard(client.connection, "message");
  const pongs = () => messages.filter((message) => JSON.stringify(message).includes("pusher:pong"));
  await until("two pongs have come", () => pongs().length >= 2);
  expect(relay.fromClient.slice(0, 2)).toEqual(Array(2).fill('{"event":"pusher:ping","data":{}}'));
  expect(client.connection.state).toBe("connected");
  expect(relay.openedMs).toHaveLength(1);
  await relay.stop();
});

test("B13: java's pusher:ping, which has no data, is answered by the same pong", async () => {
  const raw = await connectRaw(calm, { query: "client=java-client&protocol=5&version=2.4.4" });
  for (const text of ['{"event": "pusher:ping"}', '{"event":"pusher:ping","data":null}']) {
    raw.send(text);
    expect((await raw.next("pusher:pong")).raw).toBe('{"event":"pusher:pong","data":"{}"}');
  }
  expect(raw.frames).toHaveLength(3);
  raw.close();
});

test.concurrent("B14: the server probes with ping frames, never with events that java, swift and dotnet do not answer", async () => {
  const tcp = await connectTcp(brisk);
  await answerProbes(tcp, 3);
  expect(tcp.frames.map(({ event }) => event)).toEqual([
    "pusher:connection_established",
    ...Array(3).fill("(ping)"),
  ]);
  tcp.sendText('{"event":"pusher:ping"}');
  await tcp.next("pusher:pong");
  tcp.destroy();
});

test.concurrent("B15: ping frames, pong frames and messages all count as life: who sends them is not even probed", async () => {
  const silent = await connectTcp(brisk);
  const signs: ((tcp: TcpClient) => void)[] = [
    (tcp) => tcp.sendFrame(OPCODE.ping),
    (tcp) => tcp.sendFrame(OPCODE.pong, "unasked"),
    (tcp) => tcp.sendText('{"event":"pusher:pong","data":{}}'),
    (tcp) => tcp.sendText("not json"),
    (tcp) => tcp.sendFrame(OPCODE.binary, "x"),
  ];
  const lively = await Promise.all(signs.map(() => connectTcp(brisk)));
  const speaking = setInterval(() => {
    for (const [at, sign] of signs.entries()) {
      const tcp = lively[at];
      if (tcp !== undefined) sign(tcp);
    }
  }, 200);
  await answerProbes(silent, 2);
  clearInterval(speaking);
  for (const tcp of lively) {
    expect(tcp.frames[0]?.event).toBe("pusher:connection_established");
    expect(tcp.frames.filter(({ event }) => event === "(ping)" || event === "(close)")).toEqual([]);
    tcp.destroy();
  }
  silent.destroy();
});

test.concurrent("B16: a client that says nothing but answers ping frames stays, round after round, and hears its events", async () => {
  const tcp = await connectTcp(brisk, { query: "client=java-client&protocol=5&version=2.4.4" });
  tcp.sendText('{"event":"pusher:subscribe","data":{"channel":"news"}}');
  await tcp.next("pusher_internal:subscription_succeeded");
  await answerProbes(tcp, 4);
  await publish(brisk, "news", "late", "still here?");
  expect((await tcp.next("late")).data).toBe("still here?");
  expect(tcp.frames.filter(({ event }) => event === "pusher:error")).toEqual([]);
  tcp.destroy();
});

test.concurrent("B16: probes come no sooner than activity_timeout after the last sign of life", async () => {
  const tcp = await connectTcp(brisk);
  await tcp.next("(ping)", PROBE_MS);
  const aliveMs = performance.now();
  tcp.sendFrame(OPCODE.pong);
  await tcp.next("(ping)", PROBE_MS);
  expect(performance.now() - aliveMs).toBeGreaterThanOrEqual(1_000 - 20); // less what a timer may be early
  tcp.destroy();
});

test.concurrent("B17: a dead peer is closed with 4201, and its presence ends", async () => {
  const observer = await connectRaw(brisk);
  const member = (id: string) => JSON.stringify({ user_id: id });
  await observer.subscribe("presence-room", { channel_data: member("observer") });
  const dead = await connectTcp(brisk);
  const socketId = socketIdOf(await dead.next("pusher:connection_established"));
  const signed = pusherFor(brisk).authorizeChannel(socketId, "presence-room", { user_id: "dead" });
  dead.sendText(JSON.stringify({ event: "pusher:subscribe", data: { channel: "presence-room", ...signed } }));
  expect(dataOf(await observer.next("pusher_internal:member_added"))).toMatchObject({ user_id: "dead" });

  const { code, reason } = await dead.closed;
  expect({ code, reason }).toEqual({ code: 4201, reason: "Pong reply not received" });
  expect(dead.frames.map(({ event }) => event)).toEqual([
    "pusher:connection_established",
    "pusher_internal:subscription_succeeded",
    "(ping)",
    "pusher:error",
    "(close)",
  ]);
  expect(dead.frames[3]?.data).toMatchObject({ code: 4201, message: "Pong reply not received" });
  expect(dataOf(await observer.next("pusher_internal:member_removed"))).toEqual({ user_id: "dead" });
  const users = await callApi(brisk, "GET", "/channels/presence-room/users");
  expect(users.json()).toEqual({ users: [{ id: "observer" }] });
  observer.close();
  dead.destroy();
});

test.concurrent("B17: a peer that neither reads nor answers is gone for the server all the same", async () => {
  const deaf = await connectTcp(brisk, { reads: false });
  deaf.sendText('{"event":"pusher:subscribe","data":{"channel":"deaf"}}');
  const isOccupied = async () => (await callApi(brisk, "GET", "/channels/deaf")).text === '{"occupied":true}';
  await until("the deaf one is subscribed", isOccupied);
  await until("the deaf one is gone", async () => !(await isOccupied()), PROBE_MS);
  deaf.destroy();
});

test("B17: pusher-js reconnects at once after 4201", async () => {
  const relay = startRelay(calm);
  const client = makePusher(calm, {}, relay);
  await connected(client);
  const closedMs = performance.now();
  relay.close(4201, "Pong reply not received");
  await until("the client is back", () => relay.openedMs.length === 2);
  expect((relay.openedMs[1] ?? Number.NaN) - closedMs).toBeLessThan(1_000); // it would wait that long for other codes
  await connected(client);
  await relay.stop();
});

test("B18: pusher-js answers a pusher:ping, and the server takes the answer without a word", async () => {
  const relay = startRelay(calm);
  const client = makePusher(calm, {}, relay);
  await connected(client);
  relay.say(PING);
  await until("the client has answered", () => relay.fromClient.length > 0);
  expect(relay.fromClient).toEqual(['{"event":"pusher:pong","data":{}}']);
  const raw = await connectRaw(calm);
  for (const text of [
    ...relay.fromClient,
    '{"event":"pusher:pong"}',
    '{"event":"pusher:pong","data":"{}"}',
  ]) {
    raw.send(text);
  }
  await raw.settled();
  expect(raw.frames.map(({ event }) => event)).toEqual(["pusher:connection_established", "pusher:pong"]);
  expect(client.connection.state).toBe("connected");
  raw.close();
  await relay.stop();
});

/** Waits for that many ping frames and answers each, as socket libraries do on their own. */
async function answerProbes(tcp: TcpClient, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const ping = await tcp.next("(ping)", PROBE_MS);
    tcp.sendFrame(OPCODE.pong, String(ping.data));
  }
}
