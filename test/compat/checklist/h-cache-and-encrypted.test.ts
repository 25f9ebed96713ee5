/** Section H of the client compatibility checklist: cache and encrypted channels. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { callApi, publish } from "../../support/api.ts";
import { pusherFor } from "../../support/authorizer.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { connectRaw, type Frame, type RawClient } from "../../support/raw-client.ts";

const MASTER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const CACHING = ["cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"];

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot();
  await earshot.updateApp("--client-events", "true", "--subscription-count", "true");
});

afterAll(async () => {
  await earshot.stop();
});

let users = 0;

/** A new connection that is subscribed, as a new user where the channel has users. */
async function subscriber(channel: string): Promise<RawClient> {
  const client = await connectRaw(earshot);
  const extra = channel.startsWith("presence-") ? { channel_data: `{"user_id":"u-${++users}"}` } : {};
  const answer = await client.subscribe(channel, extra);
  expect(answer.event).toBe("pusher_internal:subscription_succeeded");
  return client;
}

/** What a newcomer is sent for its subscribe, without counts and members. */
async function greeting(channel: string): Promise<Frame[]> {
  const client = await subscriber(channel);
  await client.settled();
  const answer = client.frames.slice(1, -1);
  return answer.filter(({ event }) => event !== "pusher_internal:subscription_count");
}

test.each(CACHING)(
  "H68: on %s the success comes first, then the event under its own name",
  async (prefix) => {
    const channel = `${prefix}h68`;
    await publish(earshot, channel, "price", '{"p":1}');
    const [success, event, ...rest] = await greeting(channel);
    expect(success?.event).toBe("pusher_internal:subscription_succeeded");
    expect(event?.raw).toBe(`{"event":"price","channel":"${channel}","data":"{\\"p\\":1}"}`);
    expect(rest).toEqual([]);
  },
);

test("H68: only the newcomer is sent the remembered event", async () => {
  await publish(earshot, "cache-h68-others", "price", "1");
  const before = await subscriber("cache-h68-others");
  await subscriber("cache-h68-others");
  await before.settled();
  expect(before.frames.filter(({ event }) => event === "price")).toHaveLength(1);
});

test("H68: a newcomer hears the event that was remembered and then the next, in that order", async () => {
  await publish(earshot, "cache-h68-next", "price", "1");
  const client = await connectRaw(earshot);
  client.send({ event: "pusher:subscribe", data: { channel: "cache-h68-next" } });
  await client.next("price");
  await publish(earshot, "cache-h68-next", "price", "2");
  await client.next("price");
  expect(client.frames.filter(({ event }) => event === "price").map(({ data }) => data)).toEqual(["1", "2"]);
});

test.each(CACHING)("H69: on %s cache_miss has channel and data", async (prefix) => {
  const channel = `${prefix}h69`;
  const [success, miss, ...rest] = await greeting(channel);
  expect(success?.event).toBe("pusher_internal:subscription_succeeded");
  expect(miss?.raw).toBe(`{"event":"pusher:cache_miss","channel":"${channel}","data":"{}"}`);
  expect(rest).toEqual([]);
});

test.each([
  "my-cache-x",
  "Cache-x",
  "cache",
  "private-x-cache-y",
  "private-encrypted-x-cache-y",
  "presence-x-cache-y",
])("H70: %s does not cache", async (channel) => {
  await publish(earshot, channel, "price", "1");
  expect((await greeting(channel)).map(({ event }) => event)).toEqual([
    "pusher_internal:subscription_succeeded",
  ]);
});

test.each(CACHING)("H70: %s keeps the newest event, of a batch too", async (prefix) => {
  const channel = `${prefix}h70`;
  await publish(earshot, channel, "old", "1");
  const batch = [
    { channel, name: "older", data: "2" },
    { channel, name: "newest", data: "3" },
  ];
  expect((await callApi(earshot, "POST", "/batch_events", { body: { batch } })).status).toBe(200);
  expect((await greeting(channel)).map(({ event }) => event).slice(1)).toEqual(["newest"]);
});

test("H71: client events, member events and counts are not cached", async () => {
  for (const channel of ["private-cache-h71", "presence-cache-h71"]) {
    const receiver = await subscriber(channel);
    const sender = await subscriber(channel);
    sender.send({ event: "client-h71", channel, data: {} });
    await receiver.next("client-h71");
    sender.close();
    await sender.closed;
    expect((await greeting(channel)).map(({ event }) => event).slice(1)).toEqual(["pusher:cache_miss"]);
  }
});

test("H71: client events and member events do not replace what is cached", async () => {
  const channel = "presence-cache-h71-kept";
  await publish(earshot, channel, "price", "1");
  const receiver = await subscriber(channel);
  const sender = await subscriber(channel);
  sender.send({ event: "client-h71", channel, data: {} });
  await receiver.next("client-h71");
  sender.close();
  await receiver.next("pusher_internal:member_removed");
  expect((await greeting(channel)).map(({ event }) => event).slice(1)).toEqual(["price"]);
});

test("H72: an event that was published to an empty channel is there for who comes", async () => {
  await publish(earshot, "cache-h72", "price", "1");
  expect((await greeting("cache-h72")).at(1)?.data).toBe("1");
});

test("H72: the event stays when the last subscriber has gone", async () => {
  const client = await subscriber("private-cache-h72");
  await publish(earshot, "private-cache-h72", "price", "2");
  await client.next("price");
  client.send({ event: "pusher:unsubscribe", data: { channel: "private-cache-h72" } });
  await client.settled();
  const state = await callApi(earshot, "GET", "/channels/private-cache-h72", { query: { info: "cache" } });
  expect(state.json()).toMatchObject({ occupied: false, cache: { data: "2" } });
  expect((await greeting("private-cache-h72")).at(1)?.data).toBe("2");
});

test("H72: an event that was not for one connection is remembered for it all the same", async () => {
  const client = await subscriber("cache-h72-except");
  await publish(earshot, "cache-h72-except", "price", "3", { socket_id: client.socketId });
  client.send({ event: "pusher:unsubscribe", data: { channel: "cache-h72-except" } });
  await client.subscribe("cache-h72-except");
  expect((await client.next("price")).data).toBe("3");
});

test("H73: an encrypted payload passes unchanged, base64's + and / among it", async () => {
  const nonce = "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/";
  const data = `{"nonce":"${nonce}","ciphertext":"++//++//0/+=\\/ "}`;
  for (const channel of ["private-encrypted-h73", "private-encrypted-cache-h73"]) {
    const client = await subscriber(channel);
    await publish(earshot, channel, "secret", data);
    expect((await client.next("secret")).data).toBe(data);
  }
  expect((await greeting("private-encrypted-cache-h73")).at(1)?.data).toBe(data);
});

test("H73: what the official library encrypts reaches the client as it left the library", async () => {
  const client = await subscriber("private-encrypted-h73-real");
  const library = pusherFor(earshot, MASTER_KEY);
  for (let i = 0; i < 20; i++)
    await library.trigger("private-encrypted-h73-real", `secret-${i}`, { i, text: "Zoë" });
  let payloads = "";
  for (let i = 0; i < 20; i++) {
    const { data } = await client.next(`secret-${i}`);
    expect(data).toMatch(/^\{"nonce":"[A-Za-z0-9+/]{32}","ciphertext":"[A-Za-z0-9+/]+=*"\}$/);
    expect(data).not.toContain("Zoë");
    payloads += data;
  }
  expect(payloads).toMatch(/\+/); // 1,700 random characters of base64: both occur
  expect(payloads).toMatch(/\/[A-Za-z0-9+/]/);
});
