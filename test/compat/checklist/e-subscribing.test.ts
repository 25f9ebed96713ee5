/** Section E of the client checklist: subscribing. @see docs/protocol/checklist.md */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { callApi, publish } from "../../support/api.ts";
import { pusherFor, startAuthorizer } from "../../support/authorizer.ts";
import { type Earshot, type GivenApp, startEarshot, TEST_APP } from "../../support/earshot.ts";
import { disconnectPushers, heard, makePusher, once } from "../../support/pusher-client.ts";
import { authFor, connectRaw, dataOf, type Frame, type RawClient } from "../../support/raw-client.ts";
import { startRelay } from "../../support/relay.ts";
import { connectTcp } from "../../support/tcp-client.ts";

let earshot: Earshot;

const OTHER_APP: GivenApp = { id: "8", key: "0a0b0c0d0e0f00000001", secret: "another-secret" };

beforeAll(async () => {
  earshot = await startEarshot({ apps: [TEST_APP, OTHER_APP] });
  await earshot.updateApp("--client-events", "true", "--subscription-count", "true");
});
afterEach(disconnectPushers);
afterAll(async () => {
  await earshot.stop();
});

const SUCCEEDED = "pusher_internal:subscription_succeeded";

/** A name that no other test uses. */
let names = 0;
function fresh(prefix = ""): string {
  names++;
  return `${prefix}channel-${names}`;
}

function withoutCounts(frames: readonly Frame[]): Frame[] {
  return frames.filter(({ event }) => event !== "pusher_internal:subscription_count");
}

/** The three frames of a refusal, in their order. */
async function expectRefusal(raw: RawClient, channel: string, message: unknown): Promise<void> {
  const error = await raw.next("pusher:error");
  expect(error.data).toMatchObject({ code: null, message });
  expect(JSON.parse(error.raw)).not.toHaveProperty("channel");
  const at = raw.frames.indexOf(error);
  await raw.settled();
  const [internal, forListeners] = raw.frames.slice(at + 1);
  expect([internal?.event, internal?.channel]).toEqual(["pusher_internal:subscription_error", channel]);
  expect([forListeners?.event, forListeners?.channel]).toEqual(["pusher:subscription_error", channel]);
  if (internal === undefined || forListeners === undefined) throw new Error("no subscription_error");
  expect(dataOf(internal)).toMatchObject({
    type: expect.any(String),
    error: message,
    status: expect.any(Number),
  });
  expect(forListeners.data).toBe(internal.data);
}

test("E33: pusher-js's subscribe to a public channel, with an empty auth, works", async () => {
  const relay = startRelay(earshot);
  const client = makePusher(earshot, {}, relay);
  await once(client.subscribe("news"), "pusher:subscription_succeeded");
  expect(relay.fromClient).toEqual(['{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}']);
  await relay.stop();
});

test("E33: on a public channel auth and channel_data are not looked at", async () => {
  for (const extra of [{}, { auth: "" }, { auth: null }, { auth: 7 }, { auth: "a:b", channel_data: {} }]) {
    const raw = await connectRaw(earshot);
    expect((await raw.subscribe("news", extra)).event).toBe(SUCCEEDED);
    raw.close();
  }
});

test("E34: public, private and encrypted channels succeed with exactly the data {}", async () => {
  const raw = await connectRaw(earshot);
  const prefixes = [
    "",
    "private-",
    "private-encrypted-",
    "cache-",
    "private-cache-",
    "private-encrypted-cache-",
  ];
  for (const prefix of prefixes) {
    const channel = fresh(prefix);
    const frame = await raw.subscribe(channel);
    expect(frame.raw).toBe(`{"event":"${SUCCEEDED}","channel":"${channel}","data":"{}"}`);
  }
  raw.close();
});

test("E34: java's subscribe to an encrypted channel gets the literal data that it compares with", async () => {
  const raw = await connectRaw(earshot, { query: "client=java-client&protocol=5&version=2.4.4" });
  const channel = fresh("private-encrypted-");
  const auth = authFor(earshot, raw.socketId, channel);
  raw.send(`{"event":"pusher:subscribe","data":{"channel":"${channel}","auth":"${auth}"}}`);
  expect((await raw.next(SUCCEEDED)).data).toBe("{}");
  raw.close();
});

test("E35: nothing of a channel comes before its subscription_succeeded, whatever is published meanwhile", async () => {
  const suffix = fresh();
  const channels = ["", "private-", "presence-", "cache-", "private-encrypted-"].map(
    (prefix) => prefix + suffix,
  );
  let isOver = false;
  const flood = (async () => {
    while (!isOver) await publish(earshot, channels, "flood", "x");
  })();
  const clients = await Promise.all(Array.from({ length: 30 }, () => connectRaw(earshot)));
  const subscribeAll = async (raw: RawClient, id: string) => {
    for (const channel of channels) {
      const extra = channel.startsWith("presence-") ? { channel_data: JSON.stringify({ user_id: id }) } : {};
      await raw.subscribe(channel, extra);
    }
    await raw.next("flood");
  };
  await Promise.all(clients.map((raw, at) => subscribeAll(raw, `u-${at}`)));
  isOver = true;
  await flood;
  for (const raw of clients) {
    for (const channel of channels) {
      const [first] = raw.frames.filter((frame) => frame.channel === channel);
      expect([channel, first?.event]).toEqual([channel, SUCCEEDED]);
    }
    raw.close();
  }
});

test("E36: a repeated subscribe is an error that leaves the first one as it was, its events single, its count the same", async () => {
  const raw = await connectRaw(earshot);
  const channel = fresh();
  await raw.subscribe(channel);
  await raw.next("pusher_internal:subscription_count");
  for (let at = 0; at < 3; at++) {
    const error = await raw.subscribe(channel);
    expect(error.event).toBe("pusher:error");
    expect(error.data).toMatchObject({ code: null, message: `Existing subscription to channel ${channel}` });
  }
  await publish(earshot, channel, "once", "x");
  await raw.settled();
  const events = raw.frames.filter((frame) => frame.channel === channel).map(({ event }) => event);
  expect(events).toEqual([SUCCEEDED, "pusher_internal:subscription_count", "once"]);
  const state = await callApi(earshot, "GET", `/channels/${channel}`, {
    query: { info: "subscription_count" },
  });
  expect(state.json()).toEqual({ occupied: true, subscription_count: 1 });
  raw.send({ event: "pusher:unsubscribe", data: { channel } });
  await raw.settled();
  expect((await callApi(earshot, "GET", `/channels/${channel}`)).json()).toEqual({ occupied: false });
  raw.close();
});

test("E36: nor does it on presence channels, where nobody is told of a second arrival", async () => {
  const [watcher, raw] = await Promise.all([connectRaw(earshot), connectRaw(earshot)]);
  const channel = fresh("presence-");
  await watcher.subscribe(channel, { channel_data: '{"user_id":"watcher"}' });
  await raw.subscribe(channel, { channel_data: '{"user_id":"u-1"}' });
  expect((await raw.subscribe(channel, { channel_data: '{"user_id":"u-2"}' })).event).toBe("pusher:error");
  await raw.settled();
  raw.close();
  expect(dataOf(await watcher.next("pusher_internal:member_removed"))).toEqual({ user_id: "u-1" });
  const events = watcher.frames.map(({ event }) => event).filter((event) => event.includes("member_"));
  expect(events).toEqual(["pusher_internal:member_added", "pusher_internal:member_removed"]);
  watcher.close();
});

test("E37: a wrong signature is told in the known words, and connection and other channels live on", async () => {
  const raw = await connectRaw(earshot);
  const [good, bad] = [fresh("private-"), fresh("private-")];
  await raw.subscribe(good);
  const signature = "0".repeat(64);
  await raw.subscribe(bad, { auth: `${earshot.app.key}:${signature}` });
  const refused = raw.frames.find(({ event }) => event === "pusher:error");
  expect(refused?.data).toMatchObject({
    code: null,
    message: `Invalid signature: Expected HMAC SHA256 hex digest of ${raw.socketId}:${bad}, but got ${signature}`,
  });
  await publish(earshot, [good, bad], "event", "x");
  await raw.settled();
  expect(raw.frames.filter(({ event }) => event === "event").map(({ channel }) => channel)).toEqual([good]);
  expect((await callApi(earshot, "GET", `/channels/${bad}`)).json()).toEqual({ occupied: false });
  expect((await raw.subscribe(bad)).event).toBe(SUCCEEDED);
  raw.close();
});

test("E37: a signature for another socket, channel, secret, or in another writing is wrong", async () => {
  const [raw, neighbour] = await Promise.all([connectRaw(earshot), connectRaw(earshot)]);
  const channel = fresh("private-");
  const { key } = earshot.app;
  const right = authFor(earshot, raw.socketId, channel);
  const wrong = [
    authFor(earshot, neighbour.socketId, channel),
    authFor(earshot, raw.socketId, `${channel}x`),
    authFor({ ...earshot, app: { ...earshot.app, secret: OTHER_APP.secret } }, raw.socketId, channel),
    `${key}:${right.slice(key.length + 1).toUpperCase()}`,
    `${right} `,
    `${right}0`,
    right.slice(0, -1),
    `${key}:`,
    `${key}::${right.slice(key.length + 1)}`,
  ];
  for (const auth of wrong) {
    raw.send({ event: "pusher:subscribe", data: { channel, auth } });
    await expectRefusal(raw, channel, expect.stringContaining("Invalid signature: "));
  }
  expect((await raw.subscribe(channel, { auth: right })).event).toBe(SUCCEEDED);
  for (const each of [raw, neighbour]) each.close();
});

test("E38: every refused subscribe is answered by error, then the two subscription errors that name the channel", async () => {
  const raw = await connectRaw(earshot, { query: "protocol=5&client=pusher-dotnet-client&version=2.3.0" });
  const { key } = earshot.app;
  const refused: [channel: string, extra: object][] = [
    ["private-a", { auth: `${key}:wrong`, channel_data: null }],
    ["private-a", { auth: "nobody:wrong", channel_data: null }],
    ["private-a", {}],
    ["private-encrypted-a", { auth: `${key}:wrong` }],
    ["presence-a", { auth: authFor(earshot, raw.socketId, "presence-a"), channel_data: null }],
    ["presence-a", { auth: authFor(earshot, raw.socketId, "presence-a", "{}"), channel_data: "{}" }],
    ["not a name", {}],
    ["private-not/a/name", {}],
    ["", {}],
    ["x".repeat(201), {}],
    ["#server-to-user-x", {}],
    ["#anything", {}],
  ];
  for (const [channel, extra] of refused) {
    raw.send({ event: "pusher:subscribe", data: { channel, ...extra } });
    await expectRefusal(raw, channel, expect.any(String));
  }
  raw.close();
});

test("E38: so are a full presence channel and one channel too many on the connection", async () => {
  const server = await startEarshot();
  await server.updateApp("--max-presence-members", "1", "--max-subscriptions-per-connection", "2");
  const [first, second] = await Promise.all([connectRaw(server), connectRaw(server)]);
  await first.subscribe("presence-room", { channel_data: '{"user_id":"1"}' });
  await second.subscribe("news");
  const channelData = '{"user_id":"2"}';
  const auth = authFor(server, second.socketId, "presence-room", channelData);
  const data = { channel: "presence-room", auth, channel_data: channelData };
  second.send({ event: "pusher:subscribe", data });
  await expectRefusal(second, "presence-room", "Presence channel presence-room is full");
  await second.subscribe("sports");
  second.send({ event: "pusher:subscribe", data: { channel: "weather" } });
  await expectRefusal(second, "weather", "Too many subscriptions on this connection");
  await server.stop();
});

test("E38: dotnet's subscribe to a private channel, which writes channel_data null, works", async () => {
  const raw = await connectRaw(earshot);
  const channel = fresh("private-");
  const auth = authFor(earshot, raw.socketId, channel);
  raw.send(
    `{"event":"pusher:subscribe","data":{"auth":"${auth}","channel_data":null,"channel":"${channel}"}}`,
  );
  expect((await raw.next(SUCCEEDED)).channel).toBe(channel);
  raw.close();
});

test("E39: channel_data on a private or encrypted channel belongs to the signed text", async () => {
  const raw = await connectRaw(earshot);
  for (const channelData of ['{"user_id":"u-7"}', "anything, not even JSON", '{"name":"Zoë \\u00eb"}']) {
    for (const prefix of ["private-", "private-encrypted-", "private-cache-"]) {
      const channel = fresh(prefix);
      const without = authFor(earshot, raw.socketId, channel);
      raw.send({ event: "pusher:subscribe", data: { channel, auth: without, channel_data: channelData } });
      const signed = `${raw.socketId}:${channel}:${channelData}`;
      await expectRefusal(raw, channel, expect.stringContaining(`hex digest of ${signed}, but got`));
      expect((await raw.subscribe(channel, { channel_data: channelData })).event).toBe(SUCCEEDED);
    }
  }
  raw.close();
});

test("E39: pusher-js forwards what the endpoint gives, and is let in", async () => {
  const client = makePusher(earshot, {
    channelAuthorization: {
      endpoint: "",
      transport: "ajax",
      customHandler: ({ socketId, channelName }, callback) => {
        const channelData = '{"role":"editor"}';
        callback(null, {
          auth: authFor(earshot, socketId, channelName, channelData),
          channel_data: channelData,
        });
      },
    },
  });
  await once(client.subscribe(fresh("private-")), "pusher:subscription_succeeded");
});

test("E40: a private, encrypted or presence subscribe without auth is refused, and nothing falls over", async () => {
  const raw = await connectRaw(earshot);
  for (const prefix of ["private-", "private-encrypted-", "presence-", "private-cache-", "presence-cache-"]) {
    const channel = fresh(prefix);
    const channelData = prefix.startsWith("presence-") ? { channel_data: '{"user_id":"1"}' } : {};
    for (const auth of [
      {},
      { auth: null },
      { auth: "" },
      { auth: 7 },
      { auth: {} },
      { auth: [] },
      { auth: true },
    ]) {
      raw.send({ event: "pusher:subscribe", data: { channel, ...auth, ...channelData } });
      await expectRefusal(raw, channel, expect.stringContaining("Invalid signature: "));
    }
  }
  for (const data of [undefined, null, [], "", 7, {}, "not json", '"x"']) {
    raw.send({ event: "pusher:subscribe", data });
    expect((await raw.next("pusher:error")).data).toMatchObject({ code: null });
  }
  expect((await raw.subscribe(fresh("private-"))).event).toBe(SUCCEEDED);
  raw.close();
});

test("E41: channel_data that is no string is an error on presence and private channels, and nothing falls over", async () => {
  const raw = await connectRaw(earshot);
  for (const channelData of [{ user_id: "u-7" }, ["u-7"], 7, true]) {
    for (const prefix of ["presence-", "private-"]) {
      const channel = fresh(prefix);
      const auth = authFor(earshot, raw.socketId, channel, JSON.stringify(channelData));
      raw.send({ event: "pusher:subscribe", data: { channel, auth, channel_data: channelData } });
      await expectRefusal(raw, channel, expect.stringContaining("channel_data"));
    }
  }
  raw.close();
});

test("E41: a string that names no user is one too", async () => {
  const raw = await connectRaw(earshot);
  const texts = [
    "",
    "{",
    "null",
    "[]",
    '"u-7"',
    "7",
    "{}",
    '{"user_id":""}',
    '{"user_id":null}',
    '{"user_id":{}}',
  ];
  for (const channelData of [...texts, '{"user_id":true}', '{"user_id":1.5}', '{"userId":"u-7"}']) {
    const channel = fresh("presence-");
    expect((await raw.subscribe(channel, { channel_data: channelData })).event).toBe("pusher:error");
    await raw.settled();
    const { users } = { users: await callApi(earshot, "GET", `/channels/${channel}/users`) };
    expect([channelData, users.text]).toEqual([channelData, '{"users":[]}']);
  }
  raw.close();
});

test("E42: the right signature behind a key that is not the app's is refused", async () => {
  const raw = await connectRaw(earshot);
  const channel = fresh("private-");
  const signature = authFor(earshot, raw.socketId, channel).split(":")[1] ?? "";
  for (const key of [
    OTHER_APP.key,
    "nobody",
    "",
    earshot.app.key.toUpperCase(),
    `${earshot.app.key} `,
    "__proto__",
  ]) {
    raw.send({ event: "pusher:subscribe", data: { channel, auth: `${key}:${signature}` } });
    await expectRefusal(raw, channel, `Invalid key in subscription auth data: '${key}'`);
  }
  const foreign = authFor({ ...earshot, app: OTHER_APP }, raw.socketId, channel);
  raw.send({ event: "pusher:subscribe", data: { channel, auth: foreign } });
  await expectRefusal(raw, channel, `Invalid key in subscription auth data: '${OTHER_APP.key}'`);
  raw.close();
});

test("E43: names of 164 and of 200 characters work, with all characters that are allowed", async () => {
  const raw = await connectRaw(earshot);
  for (const length of [1, 164, 200]) {
    for (const prefix of ["", "private-", "presence-"]) {
      if (length < prefix.length) continue;
      const channel = prefix.padEnd(length, "aZ09_-=@,.;");
      const extra = prefix === "presence-" ? { channel_data: '{"user_id":"u"}' } : {};
      expect((await raw.subscribe(channel, extra)).event).toBe(SUCCEEDED);
      await publish(earshot, channel, "event", String(length));
      expect((await raw.next("event")).channel).toBe(channel);
    }
  }
  raw.close();
});

test("E43: longer names, and names with other characters, are refused without ending anything", async () => {
  const raw = await connectRaw(earshot);
  const bad = [
    "x".repeat(201),
    `private-${"x".repeat(193)}`,
    "",
    " ",
    "a b",
    "a/b",
    "a:b",
    "a#b",
    "#a",
    "a%b",
    "a\nb",
    "a\u0000b",
    "zoë",
    "\u{1f600}",
    "a*b",
    'a"b',
    "a\\b",
    "private-a b",
    "presence-ä",
    "news\n",
  ];
  for (const channel of bad) {
    raw.send({ event: "pusher:subscribe", data: { channel } });
    await expectRefusal(raw, channel, expect.stringContaining("Invalid channel name "));
  }
  for (const channel of [7, null, {}, [], true, ["news"]]) {
    raw.send({ event: "pusher:subscribe", data: { channel } });
    const error = await raw.next("pusher:error");
    expect(error.data).toMatchObject({
      code: null,
      message: expect.stringContaining("Invalid channel name "),
    });
  }
  expect((await raw.subscribe(fresh())).event).toBe(SUCCEEDED);
  raw.close();
});

test("E43: prefixes count only at the start and in lower case", async () => {
  const raw = await connectRaw(earshot);
  for (const channel of ["my-private-chat", "Private-chat", "PRESENCE-room", "xpresence-", "privatechat"]) {
    const frame = await raw.subscribe(channel, {});
    expect(frame.raw).toBe(`{"event":"${SUCCEEDED}","channel":"${channel}","data":"{}"}`);
  }
  raw.close();
});

test("E44: nobody who is not signed in as x gets into #server-to-user-x, signed or not", async () => {
  const raw = await connectRaw(earshot);
  const channel = "#server-to-user-x";
  const channelData = '{"user_id":"x"}';
  const attempts = [
    {},
    { auth: "" },
    { auth: authFor(earshot, raw.socketId, channel) },
    { auth: authFor(earshot, raw.socketId, channel, channelData), channel_data: channelData },
  ];
  for (const extra of attempts) {
    raw.send({ event: "pusher:subscribe", data: { channel, ...extra } });
    await expectRefusal(raw, channel, `Not signed in as the user of channel ${channel}`);
  }
  await publish(earshot, channel, "secret", "for x alone");
  await pusherFor(earshot).sendToUser("x", "secret", "for x alone");
  await raw.settled();
  expect(raw.frames.filter(({ event }) => event === "secret")).toEqual([]);
  raw.close();
});

test("E44: the connections that are signed in as x get into #server-to-user-x, and into no other's", async () => {
  const raw = await connectRaw(earshot);
  const data = pusherFor(earshot).authenticateUser(raw.socketId, { id: "x" });
  raw.send({ event: "pusher:signin", data });
  await raw.next("pusher:signin_success");
  for (const channel of [
    "#server-to-user-y",
    "#server-to-user-xx",
    "#server-to-user-X",
    "#server-to-user-",
  ]) {
    raw.send({ event: "pusher:subscribe", data: { channel, auth: "" } });
    await expectRefusal(raw, channel, expect.any(String));
  }
  expect((await raw.subscribe("#server-to-user-x", { auth: "" })).raw).toBe(
    `{"event":"${SUCCEEDED}","channel":"#server-to-user-x","data":"{}"}`,
  );
  await pusherFor(earshot).sendToUser("x", "secret", "for x alone");
  expect((await raw.next("secret")).channel).toBe("#server-to-user-x");
  raw.close();
});

test("E45: an unsubscribe has no reply, ends the events, and the same auth lets in again at once", async () => {
  const raw = await connectRaw(earshot);
  const channel = fresh("private-");
  const auth = authFor(earshot, raw.socketId, channel);
  await raw.subscribe(channel, { auth });
  await raw.settled();
  const before = raw.frames.length;
  raw.send({ event: "pusher:unsubscribe", data: { channel } });
  await raw.settled();
  await publish(earshot, channel, "missed", "x");
  await raw.settled();
  expect(raw.frames.slice(before).map(({ event }) => event)).toEqual(["pusher:pong", "pusher:pong"]);
  raw.send({ event: "pusher:subscribe", data: { channel, auth } });
  raw.send({ event: "pusher:unsubscribe", data: { channel } });
  raw.send({ event: "pusher:subscribe", data: { channel, auth } });
  await raw.next(SUCCEEDED);
  await raw.next(SUCCEEDED);
  await publish(earshot, channel, "heard", "x");
  await raw.next("heard");
  await raw.settled();
  expect(raw.frames.filter(({ event }) => event === "heard")).toHaveLength(1);
  expect(raw.frames.filter(({ event }) => event === "pusher:error")).toEqual([]);
  raw.close();
});

test("E45: what was said on a channel before an unsubscribe in the same breath still arrives", async () => {
  const channel = fresh();
  const subscribe = JSON.stringify({ event: "pusher:subscribe", data: { channel } });
  const unsubscribe = JSON.stringify({ event: "pusher:unsubscribe", data: { channel } });
  const tcp = await connectTcp(earshot, { early: [subscribe, unsubscribe, '{"event":"pusher:ping"}'] });
  await tcp.next("pusher:pong");
  expect(tcp.frames.map(({ event }) => event)).toEqual([
    "pusher:connection_established",
    SUCCEEDED,
    "pusher_internal:subscription_count",
    "pusher:pong",
  ]);
  tcp.destroy();
});

test("E45: pusher-js unsubscribes and subscribes again, with one authorization each", async () => {
  const authorizer = startAuthorizer(earshot);
  const client = makePusher(earshot, {
    channelAuthorization: { endpoint: authorizer.channelEndpoint, transport: "ajax" },
  });
  const name = fresh("private-");
  const first = client.subscribe(name);
  await once(first, "pusher:subscription_succeeded");
  const early = heard(first, "event");
  client.unsubscribe(name);
  const second = client.subscribe(name);
  await once(second, "pusher:subscription_succeeded");
  const event = once(second, "event");
  await pusherFor(earshot).trigger(name, "event", { n: 1 });
  expect(await event).toEqual({ n: 1 });
  expect(early).toEqual([]);
  expect(authorizer.requests.map(({ fields }) => fields["channel_name"])).toEqual([name, name]);
  await authorizer.stop();
});

test("E46: an unsubscribe from what one is not subscribed to is an error at most, and harms nothing", async () => {
  const raw = await connectRaw(earshot);
  const channel = fresh();
  await raw.subscribe(channel);
  for (const unknown of ["never", "private-never", "not a name", "", "#server-to-user-x", "__proto__"]) {
    raw.send({ event: "pusher:unsubscribe", data: { channel: unknown } });
    const message = `No current subscription to channel ${unknown}, or subscription in progress`;
    expect((await raw.next("pusher:error")).data).toMatchObject({ code: null, message });
  }
  for (const data of [undefined, null, {}, { channel: 7 }, { channel: [channel] }, "not json", []]) {
    raw.send({ event: "pusher:unsubscribe", data });
    expect((await raw.next("pusher:error")).data).toMatchObject({ code: null });
  }
  await publish(earshot, channel, "event", "x");
  await raw.next("event");
  for (let at = 0; at < 2; at++) raw.send({ event: "pusher:unsubscribe", data: { channel } });
  await raw.next("pusher:error");
  await raw.settled();
  expect(withoutCounts(raw.frames).filter(({ event }) => event.endsWith("subscription_error"))).toEqual([]);
  raw.close();
});
