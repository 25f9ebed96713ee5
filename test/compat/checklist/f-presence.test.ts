/** Section F of the client compatibility checklist: presence. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { publish } from "../../support/api.ts";
import { pusherFor } from "../../support/authorizer.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { disconnectPushers, makePusher, once } from "../../support/pusher-client.ts";
import { authFor, connectRaw, dataOf, type Frame, type RawClient } from "../../support/raw-client.ts";
import { startStep } from "../clients/step.ts";

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot();
});

afterAll(async () => {
  await earshot.stop();
});

/** Subscribes as a user, and expects to be let in. */
async function enter(client: RawClient, channel: string, user: object): Promise<Frame> {
  const answer = await client.subscribe(channel, { channel_data: JSON.stringify(user) });
  expect(answer.raw).toStartWith('{"event":"pusher_internal:subscription_succeeded"');
  return answer;
}

async function newcomer(channel: string, user: object): Promise<RawClient> {
  const client = await connectRaw(earshot);
  await enter(client, channel, user);
  return client;
}

async function signedIn(user: { id: string; user_info?: object }): Promise<RawClient> {
  const client = await connectRaw(earshot);
  client.send({ event: "pusher:signin", data: pusherFor(earshot).authenticateUser(client.socketId, user) });
  await client.next("pusher:signin_success");
  return client;
}

/** The presence part of a success frame. */
function presenceOf(success: Frame): { ids: unknown; hash: Record<string, unknown>; count: unknown } {
  const data = dataOf(success);
  if (typeof data === "object" && data !== null && "presence" in data) {
    const { presence } = data;
    if (typeof presence === "object" && presence !== null && "hash" in presence) {
      const { hash } = presence;
      if (typeof hash === "object" && hash !== null && !Array.isArray(hash)) {
        return { ids: undefined, count: undefined, ...presence, hash: { ...hash } };
      }
    }
  }
  throw new Error(`no presence: ${success.raw}`);
}

/** Everything about members that a client was told, in order, once nothing more can be under way. */
async function memberNews(client: RawClient): Promise<string[]> {
  await client.settled();
  return client.frames
    .filter(({ event }) => event.startsWith("pusher_internal:member_"))
    .map((frame) => `${frame.event.slice("pusher_internal:member_".length)} ${frame.data}`);
}

/** Returns when the server has seen that a client is gone: the next announcement is not late, it is not coming. */
async function leaveForGood(client: RawClient): Promise<void> {
  client.close();
  await client.closed;
}

/** A member who arrives later is told of by the watcher's next frame: whatever came before it has been said. */
async function afterMarker(watcher: RawClient, channel: string, id: string): Promise<void> {
  await newcomer(channel, { user_id: id });
  await watcher.next(
    ({ event, data }) => event === "pusher_internal:member_added" && `${data}`.includes(`"${id}"`),
  );
}

test("F47: the success payload has ids, hash and count of distinct users, the joiner among them", async () => {
  const zoe = await connectRaw(earshot);
  const first = await enter(zoe, "presence-f47", { user_id: "u-7", user_info: { name: "Zoë" } });
  expect(first.raw).toBe(
    '{"event":"pusher_internal:subscription_succeeded","channel":"presence-f47",' +
      '"data":"{\\"presence\\":{\\"ids\\":[\\"u-7\\"],\\"hash\\":{\\"u-7\\":{\\"name\\":\\"Zoë\\"}},\\"count\\":1}}"}',
  );
  await newcomer("presence-f47", { user_id: "u-7", user_info: { name: "Zoë" } });
  const ann = await connectRaw(earshot);
  const third = await enter(ann, "presence-f47", { user_id: "u-8", user_info: { name: "Ann" } });
  expect(dataOf(third)).toEqual({
    presence: { ids: ["u-7", "u-8"], hash: { "u-7": { name: "Zoë" }, "u-8": { name: "Ann" } }, count: 2 },
  });
});

test("F48: every id of ids is a key of hash, whatever users are called", async () => {
  const ids = [
    "1",
    "01",
    "constructor",
    "__proto__",
    "hasOwnProperty",
    "a b",
    "ünï-😀",
    'quo"te\\',
    "x".repeat(128),
  ];
  for (const id of ids) await newcomer("presence-f48", { user_id: id, user_info: { id } });
  const last = await connectRaw(earshot);
  const presence = presenceOf(
    await enter(last, "presence-f48", { user_id: "last", user_info: { id: "last" } }),
  );
  expect(presence.ids).toEqual([...ids, "last"]);
  expect(presence.count).toBe(ids.length + 1);
  for (const id of [...ids, "last"])
    expect(Object.getOwnPropertyDescriptor(presence.hash, id)?.value).toEqual({ id });
});

test("F49: hash is an object also when all ids are numbers and nobody has info", async () => {
  await newcomer("presence-f49", { user_id: 0 });
  const client = await connectRaw(earshot);
  const success = await enter(client, "presence-f49", { user_id: 1 });
  expect(success.data).toBe('{"presence":{"ids":["0","1"],"hash":{"0":{},"1":{}},"count":2}}');
});

test("F50: a numeric user_id comes out as a string, and is the same user as that string", async () => {
  const watcher = await newcomer("presence-f50", { user_id: "watcher" });
  const client = await connectRaw(earshot);
  const success = await enter(client, "presence-f50", { user_id: 42, user_info: { name: "Zaphod" } });
  expect(presenceOf(success).ids).toEqual(["watcher", "42"]);
  expect(await memberNews(watcher)).toEqual(['added {"user_id":"42","user_info":{"name":"Zaphod"}}']);

  const asText = await newcomer("presence-f50", { user_id: "42" });
  await leaveForGood(client);
  await leaveForGood(asText);
  await watcher.next("pusher_internal:member_removed");
  expect((await memberNews(watcher)).slice(1)).toEqual(['removed {"user_id":"42"}']);
});

test("F50: a number that JSON cannot hold exactly is refused, because it would name somebody else", async () => {
  const client = await connectRaw(earshot);
  const answer = await client.subscribe("presence-f50-large", {
    channel_data: '{"user_id":9007199254740993}',
  });
  expect(answer.data).toMatchObject({ code: null, reason: "channelDataInvalid" });
});

test("F51: a user's second connection is announced to nobody, and only the last one's end is", async () => {
  const watcher = await newcomer("presence-f51", { user_id: "watcher" });
  const first = await newcomer("presence-f51", { user_id: "u", user_info: { tab: 1 } });
  const second = await newcomer("presence-f51", { user_id: "u", user_info: { tab: 2 } });
  expect(await memberNews(first)).toEqual([]);
  await leaveForGood(first);
  await afterMarker(watcher, "presence-f51", "between");
  const soFar = ['added {"user_id":"u","user_info":{"tab":1}}', 'added {"user_id":"between","user_info":{}}'];
  expect(await memberNews(watcher)).toEqual(soFar);
  await leaveForGood(second);
  await watcher.next("pusher_internal:member_removed");
  expect(await memberNews(watcher)).toEqual([...soFar, 'removed {"user_id":"u"}']);
});

test("F51: the info of a user's first connection stays until the user is gone entirely", async () => {
  const first = await newcomer("presence-f51-info", { user_id: "u", user_info: { tab: 1 } });
  const second = await connectRaw(earshot);
  const success = await enter(second, "presence-f51-info", { user_id: "u", user_info: { tab: 2 } });
  expect(presenceOf(success).hash).toEqual({ u: { tab: 1 } });
  await leaveForGood(first);
  await leaveForGood(second);
  const watcher = await newcomer("presence-f51-info", { user_id: "watcher" });
  await newcomer("presence-f51-info", { user_id: "u", user_info: { tab: 3 } });
  const [news] = (await memberNews(watcher)).slice(-1);
  expect(news).toBe('added {"user_id":"u","user_info":{"tab":3}}');
});

test("F51: unsubscribing ends a membership as closing does", async () => {
  const watcher = await newcomer("presence-f51-off", { user_id: "watcher" });
  const client = await newcomer("presence-f51-off", { user_id: "u" });
  client.send({ event: "pusher:unsubscribe", data: { channel: "presence-f51-off" } });
  const removed = await watcher.next("pusher_internal:member_removed");
  expect(removed.raw).toBe(
    '{"event":"pusher_internal:member_removed","channel":"presence-f51-off","data":"{\\"user_id\\":\\"u\\"}"}',
  );
  expect(await memberNews(client)).toEqual([]);
});

test("F52: the joiner does not receive its own member_added, those who were there do", async () => {
  const watcher = await newcomer("presence-f52", { user_id: "watcher" });
  const joiner = await newcomer("presence-f52", { user_id: "u", user_info: { name: "Bo" } });
  await watcher.next("pusher_internal:member_added");
  expect(await memberNews(watcher)).toEqual(['added {"user_id":"u","user_info":{"name":"Bo"}}']);
  expect(await memberNews(joiner)).toEqual([]);
});

test("F53: member_added without user_info has an empty one", async () => {
  const watcher = await newcomer("presence-f53", { user_id: "watcher" });
  await newcomer("presence-f53", { user_id: "u-9" });
  const added = await watcher.next("pusher_internal:member_added");
  expect(added.raw).toBe(
    '{"event":"pusher_internal:member_added","channel":"presence-f53",' +
      '"data":"{\\"user_id\\":\\"u-9\\",\\"user_info\\":{}}"}',
  );
});

test("F54: a signed-in connection joins without channel_data, as the user of its sign-in", async () => {
  const watcher = await newcomer("presence-f54", { user_id: "watcher" });
  const client = await signedIn({ id: "u-7", user_info: { name: "Zoë" } });
  const success = await client.subscribe("presence-f54");
  expect(presenceOf(success)).toEqual({
    ids: ["watcher", "u-7"],
    hash: { watcher: {}, "u-7": { name: "Zoë" } },
    count: 2,
  });
  expect(await memberNews(watcher)).toEqual(['added {"user_id":"u-7","user_info":{"name":"Zoë"}}']);
  await leaveForGood(client);
  await watcher.next("pusher_internal:member_removed");
  expect((await memberNews(watcher)).at(-1)).toBe('removed {"user_id":"u-7"}');
});

test("F54: channel_data wins where there are both, and without a sign-in it is needed", async () => {
  const client = await signedIn({ id: "u-7" });
  expect(presenceOf(await enter(client, "presence-f54-both", { user_id: "u-9" })).ids).toEqual(["u-9"]);
  const stranger = await connectRaw(earshot);
  const answer = await stranger.subscribe("presence-f54-both");
  expect(answer.data).toMatchObject({ code: null, reason: "channelDataMissing" });
});

test("F54: pusher-js joins with its sign-in alone, and knows itself among the members", async () => {
  const library = pusherFor(earshot);
  const pusher = makePusher(earshot, {
    userAuthentication: {
      endpoint: "",
      transport: "ajax",
      customHandler: ({ socketId }, callback) =>
        callback(null, library.authenticateUser(socketId, { id: "u-7", user_info: { name: "Zoë" } })),
    },
    channelAuthorization: {
      endpoint: "",
      transport: "ajax",
      customHandler: ({ socketId, channelName }, callback) =>
        callback(null, { auth: authFor(earshot, socketId, channelName) }),
    },
  });
  pusher.signin();
  const channel = pusher.subscribe("presence-f54-pusher-js");
  const members = await once(channel, "pusher:subscription_succeeded");
  expect(members).toMatchObject({ count: 1, myID: "u-7", me: { id: "u-7", info: { name: "Zoë" } } });
  disconnectPushers();
});

test("F55: a client whose process is killed is told of as gone", async () => {
  const watcher = await newcomer("presence-f55", { user_id: "watcher" });
  const stranger = startStep("node", "stay", earshot, { CHANNEL: "presence-f55", USER_ID: "u" });
  await watcher.next("pusher_internal:member_added");
  stranger.kill();
  await watcher.next("pusher_internal:member_removed");
  expect(await memberNews(watcher)).toEqual([
    'added {"user_id":"u","user_info":{"name":"Name of u"}}',
    'removed {"user_id":"u"}',
  ]);
});

test("F56: connections of one user that come and go at once are one arrival and one departure", async () => {
  const watcher = await newcomer("presence-f56", { user_id: "watcher" });
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectRaw(earshot)));
  await Promise.all(clients.map((client) => enter(client, "presence-f56", { user_id: "u" })));
  await Promise.all(clients.map(leaveForGood));
  await watcher.next("pusher_internal:member_removed");
  await afterMarker(watcher, "presence-f56", "after");
  expect(await memberNews(watcher)).toEqual([
    'added {"user_id":"u","user_info":{}}',
    'removed {"user_id":"u"}',
    'added {"user_id":"after","user_info":{}}',
  ]);
});

test("F: a full channel refuses one more user, but not one more connection of a user who is there", async () => {
  for (let i = 0; i < 100; i++) await newcomer("presence-full", { user_id: `u-${i}` });
  await newcomer("presence-full", { user_id: "u-0" });
  const late = await connectRaw(earshot);
  const answer = await late.subscribe("presence-full", { channel_data: '{"user_id":"u-100"}' });
  expect(answer.data).toMatchObject({ code: null, reason: "presenceFull", limit: 100, actual: 101 });
  await publish(earshot, "presence-full", "e", "1");
  await late.settled();
  expect(late.frames.filter(({ event }) => event === "e")).toEqual([]);
});
