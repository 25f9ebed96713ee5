/** Section I of the client checklist: users. @see docs/protocol/checklist.md */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { signUser } from "@earshot/protocol/signature";
import type PusherServer from "pusher";
import type Pusher from "pusher-js";
import { callApi } from "../../support/api.ts";
import { pusherFor } from "../../support/authorizer.ts";
import { digest } from "../../support/digest.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { connected, disconnectPushers, heard, makePusher } from "../../support/pusher-client.ts";
import { connectRaw, dataOf, type Frame, type RawClient } from "../../support/raw-client.ts";
import { until } from "../../support/until.ts";

let earshot: Earshot;
let library: PusherServer;

beforeAll(async () => {
  earshot = await startEarshot({ args: ["--prefix", "/realtime"] });
  await earshot.updateApp("--watchlist", "true");
  library = pusherFor(earshot);
});
afterEach(disconnectPushers);
afterAll(async () => {
  await earshot.stop();
});

const SUCCESS = "pusher:signin_success";
const SUCCEEDED = "pusher_internal:subscription_succeeded";
const WATCHLIST = "pusher_internal:watchlist_events";

type User = Parameters<PusherServer["authenticateUser"]>[1];

/** A name that no other test uses. */
let names = 0;
function fresh(name: string): string {
  names++;
  return `${name}-${names}`;
}

/** Sends what the official back-end library signed, and returns the answer. */
async function signIn(raw: RawClient, user: User): Promise<Frame> {
  raw.send({ event: "pusher:signin", data: library.authenticateUser(raw.socketId, user) });
  return await raw.next(({ event }) => event === SUCCESS || event === "pusher:error");
}

async function signedIn(user: User): Promise<RawClient> {
  const raw = await connectRaw(earshot);
  expect((await signIn(raw, user)).event).toBe(SUCCESS);
  return raw;
}

/** pusher-js whose application knows who it is. */
function pusherOf(user: User): Pusher {
  return makePusher(earshot, {
    userAuthentication: {
      endpoint: "",
      transport: "ajax",
      customHandler: ({ socketId }, callback) => callback(null, library.authenticateUser(socketId, user)),
    },
  });
}

/** Of any text, as no library would sign it. */
function signUserData(socketId: string, text: string): string {
  return signUser(digest, earshot.app, socketId, text);
}

async function gone(raw: RawClient): Promise<void> {
  raw.close();
  await raw.closed;
}

const change = (name: "online" | "offline", ...ids: string[]) => ({ events: [{ name, user_ids: ids }] });

test("I74: auth is KEY:SIGNATURE over socket_id::user::user_data, as the official library signs it", async () => {
  const raw = await connectRaw(earshot);
  const { auth, user_data } = library.authenticateUser(raw.socketId, {
    id: "u-7",
    user_info: { name: "Zoë" },
  });
  expect(auth).toMatch(new RegExp(`^${earshot.app.key}:[0-9a-f]{64}$`));
  raw.send({ event: "pusher:signin", data: { auth, user_data } });
  expect(dataOf(await raw.next(SUCCESS))).toEqual({ user_data });
  raw.close();
});

test("I74: the form of the documentation's example, and every other auth, is refused without a close", async () => {
  const raw = await connectRaw(earshot);
  const { auth, user_data } = library.authenticateUser(raw.socketId, { id: "u-7" });
  const { key } = earshot.app;
  const signature = auth.slice(key.length + 1);
  const ofChannel = library.authorizeChannel(raw.socketId, "private-x").auth;
  for (const wrong of [`${key}::user::${signature}`, signature, "", undefined, 7, `${auth}0`, ofChannel]) {
    raw.send({ event: "pusher:signin", data: { auth: wrong, user_data } });
    const error = await raw.next("pusher:error");
    expect(error.data).toMatchObject({
      code: null,
      message: expect.stringMatching(/^Invalid (signature|key)/),
    });
    expect(JSON.parse(error.raw)).not.toHaveProperty("channel");
  }
  raw.send({ event: "pusher:signin", data: { auth, user_data: `${user_data} ` } });
  expect((await raw.next("pusher:error")).data).toMatchObject({ reason: "signatureInvalid" });
  raw.send({ event: "pusher:signin", data: { auth, user_data } });
  await raw.next(SUCCESS);
  raw.close();
});

test("I74: user_data that names nobody is refused, however it is signed, and the connection lives", async () => {
  const raw = await connectRaw(earshot);
  const malformed: unknown[] = [
    ...[
      {},
      { id: "" },
      { id: 7 },
      { id: null },
      { id: ["u"] },
      { id: "a/b" },
      { id: "a\u0000" },
      [],
      null,
      7,
    ],
    ...[
      { id: "u".repeat(129) },
      { id: "u", user_info: "x" },
      { id: "u", user_info: { a: "x".repeat(2_000) } },
      { id: "u", watchlist: "u-8" },
      { id: "u", watchlist: [8] },
    ],
  ];
  const texts = [...malformed.map((value) => JSON.stringify(value)), "", "{", "u-7"];
  for (const text of texts) {
    raw.send({ event: "pusher:signin", data: { auth: signUserData(raw.socketId, text), user_data: text } });
    expect((await raw.next("pusher:error")).data).toMatchObject({ code: null, reason: expect.any(String) });
  }
  for (const data of [undefined, null, 7, "x", [], {}, { user_data: { id: "u-7" } }]) {
    raw.send({ event: "pusher:signin", data });
    expect((await raw.next("pusher:error")).data).toMatchObject({ code: null, reason: "userDataInvalid" });
  }
  expect((await signIn(raw, { id: "u-7" })).event).toBe(SUCCESS);
  raw.close();
});

test("I74: a flood of sign-ins, the same and wrong ones, is answered one by one and disturbs nobody", async () => {
  const [raw, other] = [await connectRaw(earshot), await connectRaw(earshot)];
  const data = library.authenticateUser(raw.socketId, { id: fresh("flood") });
  const rounds = 100;
  for (let round = 0; round < rounds; round++) {
    raw.send({ event: "pusher:signin", data });
    raw.send({ event: "pusher:signin", data: { ...data, auth: `${data.auth}0` } });
    if (round % 20 === 0) await other.settled();
  }
  await raw.settled();
  const answers = raw.frames.filter(({ event }) => event === SUCCESS || event === "pusher:error");
  expect(answers.map(({ event }) => event)).toEqual(
    Array.from({ length: rounds }, () => [SUCCESS, "pusher:error"]).flat(),
  );
  for (const each of [raw, other]) each.close();
});

test("I75: signin_success has the very string of the sign-in inside a string, and no channel", async () => {
  const raw = await connectRaw(earshot);
  const text = '{ "user_info":{"name":"Zo\\u00eb"},  "id" : "u-7" }';
  raw.send({ event: "pusher:signin", data: { auth: signUserData(raw.socketId, text), user_data: text } });
  const frame = await raw.next(SUCCESS);
  expect(Object.keys(JSON.parse(frame.raw))).toEqual(["event", "data"]);
  expect(dataOf(frame)).toEqual({ user_data: text });
  raw.close();
});

test("I75: pusher-js takes the user over and subscribes to the user's channel by itself", async () => {
  const id = fresh("u");
  const client = pusherOf({ id, user_info: { name: "Zoë" } });
  client.signin();
  await until("the client is signed in", () => client.user.user_data !== null);
  expect(client.user.user_data).toEqual({ id, user_info: { name: "Zoë" } });
  await until(
    "the user's channel is subscribed to",
    () => client.user.serverToUserChannel?.subscribed === true,
  );
});

test("I76: sign-in works at any time, before and after subscriptions, and the same user may sign in again", async () => {
  const raw = await connectRaw(earshot);
  expect((await raw.subscribe("private-before")).event).toBe(SUCCEEDED);
  expect((await signIn(raw, { id: "u-7" })).event).toBe(SUCCESS);
  expect((await raw.subscribe("private-after")).event).toBe(SUCCEEDED);
  expect((await signIn(raw, { id: "u-7" })).event).toBe(SUCCESS);
  raw.close();
});

test("I76: another user on the same connection is refused, and the first one stays", async () => {
  const raw = await signedIn({ id: "u-7" });
  expect((await signIn(raw, { id: "u-8" })).data).toMatchObject({ code: null, reason: "signedInAsAnother" });
  expect((await raw.subscribe("#server-to-user-u-7")).event).toBe(SUCCEEDED);
  raw.close();
});

test("I76: pusher-js signs in again on each new connection", async () => {
  const id = fresh("u");
  const client = pusherOf({ id });
  const successes: unknown[] = [];
  client.connection.bind("message", (frame: { event: string }) => {
    if (frame.event === SUCCESS) successes.push(frame);
  });
  client.signin();
  await until("the client is signed in", () => successes.length === 1);
  client.disconnect();
  await until("the client is signed out", () => client.user.user_data === null);
  client.connect();
  await until("the client is signed in again", () => successes.length === 2);
  await until("the client knows its user", () => client.user.user_data !== null);
  expect(client.user.user_data).toEqual({ id });
});

test("I77: an event for a user arrives on #server-to-user-ID, on all of the user's connections and no other", async () => {
  const id = fresh("u");
  const [first, second, other] = [
    await signedIn({ id }),
    await signedIn({ id }),
    await signedIn({ id: `${id}0` }),
  ];
  for (const raw of [first, second]) {
    const frame = await raw.subscribe(`#server-to-user-${id}`, { auth: "" });
    expect(frame.raw).toBe(`{"event":"${SUCCEEDED}","channel":"#server-to-user-${id}","data":"{}"}`);
  }
  await other.subscribe(`#server-to-user-${id}0`);
  await library.sendToUser(id, "notice", { text: "hello" });
  for (const raw of [first, second]) {
    expect((await raw.next("notice")).raw).toBe(
      `{"event":"notice","channel":"#server-to-user-${id}","data":"{\\"text\\":\\"hello\\"}"}`,
    );
  }
  await other.settled();
  expect(other.frames.filter(({ event }) => event === "notice")).toEqual([]);
  for (const raw of [first, second, other]) raw.close();
});

test("I77: pusher-js's user.bind hears what the library's sendToUser says", async () => {
  const id = fresh("u");
  const client = pusherOf({ id });
  const notices = heard(client.user, "notice");
  client.signin();
  await until(
    "the user's channel is subscribed to",
    () => client.user.serverToUserChannel?.subscribed === true,
  );
  await library.sendToUser(id, "notice", { text: "hello" });
  await until("the notice arrives", () => notices.length === 1);
  expect(notices).toEqual([{ text: "hello" }]);
});

test("I77: a user's channel is neither listed nor counted to anybody", async () => {
  await earshot.updateApp("--subscription-count", "true");
  const id = fresh("u");
  const raw = await signedIn({ id });
  await raw.subscribe(`#server-to-user-${id}`);
  await raw.settled();
  expect(raw.frames.filter(({ event }) => event === "pusher_internal:subscription_count")).toEqual([]);
  const answer = await callApi(earshot, "GET", "/channels", { query: { filter_by_prefix: "#" } });
  expect(answer.json()).toEqual({ channels: {} });
  raw.close();
});

test("I78: the state of all watched users comes in one message after the success, then each change", async () => {
  const [zoe, ann, bob] = [fresh("zoe"), fresh("ann"), fresh("bob")];
  const first = await signedIn({ id: ann });
  const watcher = await signedIn({ id: zoe, watchlist: [ann, bob] });
  const state = await watcher.next(WATCHLIST);
  expect(Object.keys(JSON.parse(state.raw))).toEqual(["event", "data"]);
  expect(dataOf(state)).toEqual({
    events: [
      { name: "online", user_ids: [ann] },
      { name: "offline", user_ids: [bob] },
    ],
  });
  expect(watcher.frames.indexOf(state)).toBe(watcher.frames.findIndex(({ event }) => event === SUCCESS) + 1);
  const second = await signedIn({ id: ann });
  const bobs = await signedIn({ id: bob });
  expect(dataOf(await watcher.next(WATCHLIST))).toEqual(change("online", bob));
  await gone(first);
  await gone(bobs);
  expect(dataOf(await watcher.next(WATCHLIST))).toEqual(change("offline", bob));
  await gone(second);
  expect(dataOf(await watcher.next(WATCHLIST))).toEqual(change("offline", ann));
  watcher.close();
});

test("I78: pusher-js's user.watchlist.bind hears who is online, who comes and who goes", async () => {
  const [zoe, ann, bob] = [fresh("zoe"), fresh("ann"), fresh("bob")];
  const anns = await signedIn({ id: ann });
  const client = pusherOf({ id: zoe, watchlist: [ann, bob] });
  const online = heard(client.user.watchlist, "online");
  const offline = heard(client.user.watchlist, "offline");
  client.signin();
  await until("the state is told", () => online.length === 1 && offline.length === 1);
  expect([online, offline]).toEqual([
    [{ name: "online", user_ids: [ann] }],
    [{ name: "offline", user_ids: [bob] }],
  ]);
  const bobs = pusherOf({ id: bob });
  bobs.signin();
  await until("bob comes", () => online.length === 2);
  bobs.disconnect();
  anns.close();
  await until("both go", () => offline.length === 3);
  expect(online[1]).toEqual({ name: "online", user_ids: [bob] });
});

test("I78: the restart of the server tells nobody offline", async () => {
  const own = await startEarshot();
  await own.updateApp("--watchlist", "true");
  const ofOwn = pusherFor(own);
  const connect = async (user: User) => {
    const raw = await connectRaw(own);
    raw.send({ event: "pusher:signin", data: ofOwn.authenticateUser(raw.socketId, user) });
    await raw.next(SUCCESS);
    return raw;
  };
  const watcher = await connect({ id: "zoe", watchlist: ["ann", "bob"] });
  const others = [await connect({ id: "ann" }), await connect({ id: "bob" })];
  await watcher.settled();
  const before = watcher.frames.length;
  await own.stop();
  await watcher.closed;
  for (const { closed } of others) expect(await closed).toMatchObject({ code: 4200 });
  expect(watcher.frames.slice(before).map(({ event }) => event)).toEqual(["pusher:error"]);
});

test("I79: 101 watched users are a success, and a 4302 that does not close; the first 100 are watched", async () => {
  const prefix = fresh("w");
  const ids = Array.from({ length: 101 }, (_, at) => `${prefix}-${at}`);
  const raw = await connectRaw(earshot);
  expect((await signIn(raw, { id: fresh("u"), watchlist: ids })).event).toBe(SUCCESS);
  const error = await raw.next("pusher:error");
  expect(error.data).toMatchObject({
    code: 4302,
    limit: 100,
    actual: 101,
    message: expect.stringContaining(`${prefix}-0, ${prefix}-1, `),
  });
  expect(JSON.parse(error.raw)).not.toHaveProperty("channel");
  expect(dataOf(await raw.next(WATCHLIST))).toEqual(change("offline", ...ids.slice(0, 100)));
  const [last, first] = [await signedIn({ id: `${prefix}-100` }), await signedIn({ id: `${prefix}-0` })];
  expect(dataOf(await raw.next(WATCHLIST))).toEqual(change("online", `${prefix}-0`));
  for (const each of [raw, last, first]) each.close();
});

test("I79: pusher-js reports the 4302 and stays connected and signed in", async () => {
  const client = pusherOf({
    id: fresh("u"),
    watchlist: Array.from({ length: 101 }, (_, at) => `many-${at}`),
  });
  const errors = heard(client.connection, "error");
  client.signin();
  await until("the error arrives", () => errors.length === 1);
  expect(errors[0]).toMatchObject({ data: { code: 4302 } });
  await connected(client);
  expect(client.user.user_data).toMatchObject({ watchlist: expect.any(Array) });
});

test("I80: terminating ends the connections that are signed in as the user, not those of members or others", async () => {
  const id = fresh("u");
  const [first, second, other] = [
    await signedIn({ id }),
    await signedIn({ id }),
    await signedIn({ id: `${id}0` }),
  ];
  const member = await connectRaw(earshot);
  await member.subscribe("presence-i80", { channel_data: JSON.stringify({ user_id: id }) });
  const answer = await library.terminateUserConnections(id);
  expect([answer.status, await answer.text()]).toEqual([200, "{}"]);
  for (const raw of [first, second]) {
    expect(await raw.closed).toEqual({ code: 4009, reason: "You got disconnected by the app." });
    expect((await raw.next("pusher:error")).data).toMatchObject({ code: 4009 });
  }
  for (const raw of [member, other]) {
    await raw.settled();
    raw.close();
  }
});

test("I80: pusher-js stays away, until its page connects again", async () => {
  const id = fresh("u");
  const client = pusherOf({ id });
  client.signin();
  await until("the client is signed in", () => client.user.user_data !== null);
  await library.terminateUserConnections(id);
  await until("the client is disconnected", () => client.connection.state === "disconnected");
  client.connect();
  await until("the client is signed in again", () => client.user.user_data !== null);
});

test("I80: a user whom nobody knows is 200 {}, with a body and without", async () => {
  for (const body of [undefined, "{}"]) {
    const answer = await callApi(earshot, "POST", "/users/nobody/terminate_connections", { body });
    expect([answer.status, answer.text]).toEqual([200, "{}"]);
  }
  const wrong = await callApi(earshot, "GET", "/users/nobody/terminate_connections");
  expect(wrong.status).toBe(405);
});

test("I: who neither signs in nor subscribes to a signed channel in time is closed with 4009, where the app says so", async () => {
  const strict = await startEarshot();
  await strict.updateApp("--authorization-timeout-seconds", "1");
  const idle = await connectRaw(strict);
  const [member, user] = [await connectRaw(strict), await connectRaw(strict)];
  await member.subscribe("private-x");
  user.send({
    event: "pusher:signin",
    data: pusherFor(strict).authenticateUser(user.socketId, { id: "u-7" }),
  });
  await user.next(SUCCESS);
  await idle.subscribe("news");
  expect(await idle.closed).toEqual({ code: 4009, reason: "Connection not authorized within timeout" });
  expect((await idle.next("pusher:error")).data).toMatchObject({ code: 4009 });
  for (const raw of [member, user]) {
    await raw.settled();
    raw.close();
  }
  await strict.stop();
});
