/** Section C of the client checklist: closing. @see docs/protocol/checklist.md */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createServer } from "node:net";
import { ERRORS, type ErrorName, protocolError } from "@earshot/protocol/errors";
import type Pusher from "pusher-js";
import { callApi } from "../../support/api.ts";
import { pusherFor, startAuthorizer } from "../../support/authorizer.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { connected, disconnectPushers, heard, makePusher, once } from "../../support/pusher-client.ts";
import { connectRaw } from "../../support/raw-client.ts";
import { type Relay, startRelay } from "../../support/relay.ts";
import { connectTcp, OPCODE } from "../../support/tcp-client.ts";
import { until } from "../../support/until.ts";

let earshot: Earshot;
let relay: Relay;

beforeAll(async () => {
  earshot = await startEarshot();
  relay = startRelay(earshot);
  await earshot.updateApp("--client-events", "true");
});
afterEach(disconnectPushers);
afterAll(async () => {
  await relay.stop();
  await earshot.stop();
});

/** Codes that the protocol page lists, and swift knows, for a connection that is over for good. */
const DOCUMENTED_40XX = [4000, 4001, 4003, 4004, 4005, 4006, 4007, 4008, 4009];

const CLOSING = Object.keys(ERRORS).filter(isErrorName).filter(closes);

function isErrorName(name: string): name is ErrorName {
  return name in ERRORS;
}

function closes(name: ErrorName): boolean {
  return protocolError(name).isFatal;
}

/** How pusher-js takes a close code after it was connected. */
async function reaction(
  code: number,
  reason: string,
): Promise<{ client: Pusher; afterMs: number | undefined }> {
  const client = makePusher(earshot, {}, relay);
  await connected(client);
  const before = relay.openedMs.length;
  const state = once(client.connection, "state_change");
  const closedMs = performance.now();
  relay.close(code, reason);
  await state;
  if (client.connection.state === "disconnected") return { client, afterMs: undefined };
  await until("the client is back", () => relay.openedMs.length > before);
  await connected(client);
  return { client, afterMs: (relay.openedMs.at(-1) ?? Number.NaN) - closedMs };
}

test("C19: 4001 to 4099 stop pusher-js: it is disconnected and plans no retry", async () => {
  for (const code of DOCUMENTED_40XX.filter((code) => code !== 4000)) {
    const { client, afterMs } = await reaction(code, "over");
    expect([code, afterMs]).toEqual([code, undefined]);
    expect(client.connection.retryTimer ?? undefined).toBeUndefined();
  }
});

test("C19: 4100 delays the return of pusher-js by a second", async () => {
  const { afterMs } = await reaction(4100, ERRORS.overCapacity.text);
  expect(afterMs).toBeGreaterThanOrEqual(1_000 - 20); // less what a timer may be early
});

test("C19: 4200 brings pusher-js back at once, with its channels", async () => {
  const client = makePusher(earshot, {}, relay);
  const channel = client.subscribe("news");
  await once(channel, "pusher:subscription_succeeded");
  const before = relay.openedMs.length;
  const closedMs = performance.now();
  relay.close(4200, ERRORS.shuttingDown.text);
  await once(channel, "pusher:subscription_succeeded");
  expect(relay.openedMs).toHaveLength(before + 1);
  expect((relay.openedMs.at(-1) ?? Number.NaN) - closedMs).toBeLessThan(1_000); // what 4100 would make it wait
});

test("C19: each of our codes lies in the range whose reaction its refusal wants", () => {
  const rangeOf = (name: ErrorName) => Math.floor((ERRORS[name].code ?? 0) / 100);
  const ranges = Object.fromEntries(CLOSING.map((name) => [name, rangeOf(name)]));
  expect(ranges).toMatchObject({
    tlsRequired: 40,
    appUnknown: 40,
    appDisabled: 40,
    connectionQuota: 40,
    pathUnknown: 40,
    protocolUnsupported: 40,
    protocolMissing: 40,
    originRefused: 40,
    overCapacity: 41,
    queueOverflow: 41,
    shuttingDown: 42,
    pongTimeout: 42,
  });
});

test("C20: no code from 4300 up closes a connection", () => {
  for (const name of CLOSING) expect(ERRORS[name].code).toBeLessThan(4_300);
  const others = Object.keys(ERRORS)
    .filter(isErrorName)
    .filter((name) => !closes(name));
  for (const name of others) expect(ERRORS[name].code ?? 4_300).toBeGreaterThanOrEqual(4_300);
});

test("C20: too many client events are told 4301, and neither end closes", async () => {
  const authorizer = startAuthorizer(earshot);
  const client = makePusher(earshot, {
    channelAuthorization: { endpoint: authorizer.channelEndpoint, transport: "ajax" },
  });
  const channel = client.subscribe("private-chat");
  await once(channel, "pusher:subscription_succeeded");
  const errors = heard(client.connection, "error");
  for (let at = 0; at < 30; at++) channel.trigger("client-typing", { at });
  await until("the limit is told", () => errors.length > 0);
  expect(errors[0]).toMatchObject({ type: "PusherError", data: { code: 4301 } });
  const later = once(channel, "after");
  await pusherFor(earshot).trigger("private-chat", "after", {});
  await later;
  expect(client.connection.state).toBe("connected");
  await authorizer.stop();
});

test("C21: codes below 4100 are documented ones, which swift knows", () => {
  const used = new Set(CLOSING.map((name) => ERRORS[name].code ?? 0).filter((code) => code < 4_100));
  expect(DOCUMENTED_40XX).toEqual(expect.arrayContaining([...used]));
  expect([...used].sort()).toEqual([4000, 4001, 4003, 4004, 4005, 4007, 4008, 4009]);
});

test("C22: SIGTERM closes everybody with 4200, tells nobody of the others' leaving, and ends with exit code 0", async () => {
  const server = await startEarshot();
  const clients = await Promise.all(Array.from({ length: 30 }, () => connectRaw(server)));
  for (const [at, raw] of clients.entries()) {
    await raw.subscribe("presence-room", { channel_data: JSON.stringify({ user_id: `u-${at}` }) });
    await raw.subscribe("news");
  }
  const tcp = await connectTcp(server);
  const stopping = server.stop();
  for (const raw of clients) {
    expect(await raw.closed).toEqual({ code: 4200, reason: "Please reconnect immediately" });
    expect(raw.frames.at(-1)?.data).toMatchObject({ code: 4200, message: "Please reconnect immediately" });
    expect(raw.frames.filter(({ event }) => event.endsWith("member_removed"))).toEqual([]);
  }
  expect(await tcp.closed).toEqual({ code: 4200, reason: "Please reconnect immediately" });
  expect(await stopping).toBe(0);
});

test("C22: pusher-js goes over to the next server at once, with its channels", async () => {
  const [old, next] = await Promise.all([startEarshot(), startEarshot()]);
  const to = { url: old.url };
  const balancer = startRelay(to);
  const client = makePusher(old, {}, balancer);
  const channel = client.subscribe("news");
  await once(channel, "pusher:subscription_succeeded");
  const before = client.connection.socket_id;
  to.url = next.url;
  const stopping = old.stop();
  const startMs = performance.now();
  await once(channel, "pusher:subscription_succeeded");
  expect(performance.now() - startMs).toBeLessThan(1_000); // what 1001 would make it wait
  expect(client.connection.socket_id).not.toBe(before);
  const event = once(channel, "hello");
  await pusherFor(next).trigger("news", "hello", { again: true });
  expect(await event).toEqual({ again: true });
  client.disconnect();
  expect(await stopping).toBe(0);
  await Promise.all([next.stop(), balancer.stop()]);
});

test("C23: nothing that a client says makes the server close, least of all with 1002 or 1003", async () => {
  const tcp = await connectTcp(earshot);
  const wrong = [
    "",
    "not json",
    "[]",
    '{"event":""}',
    '{"event":"pusher:connection_established"}',
    '{"event":"pusher:error","data":{"code":4001,"message":"me"}}',
    '{"event":"pusher_internal:member_added","channel":"presence-x","data":"{}"}',
    '{"event":"pusher:subscribe"}',
    '{"event":"pusher:subscribe","data":null}',
    '{"event":"pusher:subscribe","data":[]}',
    '{"event":"pusher:subscribe","data":{"channel":{}}}',
    '{"event":"pusher:subscribe","data":{"channel":""}}',
    '{"event":"pusher:subscribe","data":{"channel":"private-x","auth":{}}}',
    '{"event":"pusher:subscribe","data":{"channel":"presence-x","auth":1,"channel_data":2}}',
    '{"event":"pusher:unsubscribe"}',
    '{"event":"client-x"}',
    '{"event":"client-x","channel":7,"data":1}',
    '{"event":"client-x","channel":"private-never","data":1}',
    JSON.stringify({ event: "x".repeat(80_000) }),
    JSON.stringify({ event: "pusher:subscribe", data: { channel: "x".repeat(80_000) } }),
    "x".repeat(81_921),
    "x".repeat(3_000_000),
  ];
  for (const text of wrong) {
    tcp.sendText(text);
    const error = await tcp.next("pusher:error");
    expect([text.slice(0, 80), error.data]).toEqual([
      text.slice(0, 80),
      expect.objectContaining({ code: null }),
    ]);
  }
  tcp.sendFrame(OPCODE.binary, Uint8Array.of(255, 254));
  await tcp.next("pusher:error");
  tcp.sendText('{"event":"pusher:ping","data":{}}');
  await tcp.next("pusher:pong");
  expect(tcp.frames.filter(({ event }) => event === "(close)")).toEqual([]);
  tcp.destroy();
});

test("C23: a message beyond all measure ends its connection with 1009, and nobody else's", async () => {
  const neighbour = await connectRaw(earshot);
  const tcp = await connectTcp(earshot);
  tcp.sendText("x".repeat(5_000_000));
  const { code } = await tcp.closed;
  expect([1009, 1006]).toContain(code); // 1006 where the unread rest made the system drop the close frame
  await neighbour.settled();
  neighbour.close();
});

test("C24: 4000 on a plain-text connection makes pusher-js try TLS", async () => {
  await earshot.updateApp("--tls-only", "true");
  const { promise: hello, resolve } = Promise.withResolvers<Buffer>();
  const tls = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (bytes) => {
      resolve(Buffer.from(bytes));
      socket.destroy();
    });
  });
  await new Promise<void>((listening) => tls.listen(0, "127.0.0.1", listening));
  const address = tls.address();
  const wssPort = typeof address === "object" && address !== null ? address.port : 0;
  // With an address in the place of a name, TLS does not even begin.
  const options = { wssPort, enabledTransports: ["ws" as const, "wss" as const] };
  const client = makePusher(earshot, options, { host: "localhost", port: earshot.port });
  const errors = heard(client.connection, "error");
  const [type, major] = await hello;
  expect([type, major]).toEqual([0x16, 0x03]); // a TLS handshake record
  expect(client.connection.usingTLS).toBe(true);
  expect(errors[0]).toMatchObject({
    type: "WebSocketError",
    error: { data: { code: 4000, message: ERRORS.tlsRequired.text } },
  });
  client.disconnect();
  tls.close();
  await earshot.updateApp("--tls-only", "false");
});

test("C24: an app for TLS alone lets in what a trusted proxy says came by TLS, and believes nobody else", async () => {
  const headers = { "X-Forwarded-Proto": "https" };
  const server = await startEarshot({ args: ["--http-trusted-proxies", "127.0.0.1"] });
  await Promise.all([server, earshot].map((each) => each.updateApp("--tls-only", "true")));
  const proxied = await connectRaw(server, { headers });
  expect(proxied.frames[0]?.event).toBe("pusher:connection_established");
  const plain = await connectRaw(server);
  expect(plain.frames[0]?.data).toMatchObject({ code: 4000 });
  const pretender = await connectRaw(earshot, { headers });
  expect(pretender.frames[0]?.data).toMatchObject({ code: 4000 });
  expect((await pretender.closed).code).toBe(4000);
  await earshot.updateApp("--tls-only", "false");
  await server.stop();
});

test("C25: pusher-js shows the reason of a close as error.data.message", async () => {
  const client = makePusher(earshot);
  await connected(client);
  const errors = heard(client.connection, "error");
  await earshot.updateApp("--enabled", "false");
  await until("the client has stopped", () => client.connection.state === "disconnected");
  const data = { code: 4003, message: "Application disabled" };
  expect(errors).toContainEqual({ type: "PusherError", data });
  expect(errors).toContainEqual({ type: "WebSocketError", error: { type: "PusherError", data } });
  expect((await callApi(earshot, "GET", "/channels")).status).toBe(403);
  await earshot.updateApp("--enabled", "true");
});

test("C25: every close has a reason, whole characters and at most 123 bytes of them", async () => {
  for (const name of CLOSING) expect(ERRORS[name].text.trim()).not.toBe("");
  for (const key of ["k", "é".repeat(60), "\u{1f442}".repeat(40), "x".repeat(500), "\u2028"]) {
    const tcp = await connectTcp(earshot, { key: encodeURIComponent(key) });
    const { code, reason } = await tcp.closed;
    expect(code).toBe(4001);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    expect(reason).not.toContain("\ufffd");
    const message = `App key ${key} not in this cluster. Did you forget to specify the cluster?`;
    expect(message).toStartWith(reason);
    expect(reason.length).toBeGreaterThan(60);
    expect(tcp.frames[0]?.data).toMatchObject({ message });
    tcp.destroy();
  }
});
