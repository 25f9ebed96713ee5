/** Section G of the client compatibility checklist: client events. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { publish } from "../../support/api.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { connectRaw, type Frame, type RawClient } from "../../support/raw-client.ts";
import { until } from "../../support/until.ts";

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot();
  await earshot.updateApp("--client-events", "true");
});

afterAll(async () => {
  await earshot.stop();
});

async function subscriber(channel: string, userId?: string | number): Promise<RawClient> {
  const client = await connectRaw(earshot);
  const extra = userId === undefined ? {} : { channel_data: JSON.stringify({ user_id: userId }) };
  const answer = await client.subscribe(channel, extra);
  expect(answer.event).toBe("pusher_internal:subscription_succeeded");
  return client;
}

interface ClientEvent {
  readonly event: string;
  readonly channel: string;
  readonly [field: string]: unknown;
}

/** What others on a channel receive when one of them sends this. */
async function relayed(message: ClientEvent, userId?: string | number): Promise<Frame> {
  const receiver = await subscriber(message.channel, userId === undefined ? undefined : "receiver");
  const sender = await subscriber(message.channel, userId);
  sender.send(message);
  return await receiver.next(message.event);
}

/** The error that answers a message. Nobody else may hear of it. */
async function refused(
  sender: RawClient,
  message: object,
  listeners: readonly RawClient[] = [],
): Promise<Frame> {
  const before = listeners.map(({ frames }) => frames.length);
  sender.send(message);
  const error = await sender.next("pusher:error");
  await Promise.all([sender, ...listeners].map((client) => client.settled()));
  const heard = listeners.map(({ frames }, i) => frames.slice(before[i]).map(({ event }) => event));
  expect(heard).toEqual(listeners.map(() => ["pusher:pong"]));
  return error;
}

test("G57: data sent as an object is relayed as a string", async () => {
  const frame = await relayed({
    event: "client-g57",
    channel: "private-g57",
    data: { on: true, n: [1, null] },
  });
  expect(frame.raw).toBe(
    '{"event":"client-g57","channel":"private-g57","data":"{\\"on\\":true,\\"n\\":[1,null]}"}',
  );
});

test.each([
  [7, "7"],
  [false, "false"],
  [null, "null"],
  [[], "[]"],
  ["", ""],
])("G57: data %p is relayed as the string %p", async (data, expected) => {
  const channel = "private-g57-values";
  const frame = await relayed({ event: "client-value", channel, data });
  expect(frame.data).toBe(expected);
});

test("G58: a string of JSON is relayed as it is, not encoded again", async () => {
  const frame = await relayed({ event: "client-g58", channel: "private-g58", data: '{"on": true}' });
  expect(frame.raw).toBe('{"event":"client-g58","channel":"private-g58","data":"{\\"on\\": true}"}');
});

test("G58: a string that is no JSON is relayed as it is", async () => {
  const data = 'hello {"\u2028\u0000😀';
  expect((await relayed({ event: "client-g58", channel: "private-g58-text", data })).data).toBe(data);
});

test("G59: an event without data is accepted, and relayed with some", async () => {
  const frame = await relayed({ event: "client-g59", channel: "private-g59" });
  expect(frame.raw).toBe('{"event":"client-g59","channel":"private-g59","data":"{}"}');
});

test("G60: on presence channels user_id is a top-level string from the server's knowledge", async () => {
  const forged = { user_id: "admin", userId: "admin", socket_id: "1.1", extra: { a: 1 } };
  const frame = await relayed(
    { event: "client-g60", channel: "presence-g60", data: { x: 1 }, ...forged },
    "u-7",
  );
  expect(frame.raw).toBe(
    '{"event":"client-g60","channel":"presence-g60","data":"{\\"x\\":1}","user_id":"u-7"}',
  );
});

test("G60: a numeric user id comes out as a string", async () => {
  const frame = await relayed({ event: "client-g60", channel: "presence-g60-number" }, 42);
  expect(frame.user_id).toBe("42");
});

test("G60: on private channels there is no user_id, also where the sender claims one", async () => {
  const frame = await relayed({
    event: "client-g60",
    channel: "private-g60",
    user_id: "admin",
    data: {},
  });
  expect(frame.raw).toBe('{"event":"client-g60","channel":"private-g60","data":"{}"}');
});

test("G61: the sender does not hear itself, each other subscriber hears it once", async () => {
  for (const channel of ["private-g61", "presence-g61", "private-cache-g61", "presence-cache-g61"]) {
    const isPresence = channel.startsWith("presence-");
    const sender = await subscriber(channel, isPresence ? "sender" : undefined);
    const others = await Promise.all(
      [1, 2, 3].map((i) => subscriber(channel, isPresence ? `u-${i}` : undefined)),
    );
    sender.send({ event: "client-g61", channel, data: {} });
    await Promise.all(others.map((other) => other.next("client-g61")));
    await Promise.all([sender, ...others].map((client) => client.settled()));
    const heard = [sender, ...others].map(
      ({ frames }) => frames.filter(({ event }) => event === "client-g61").length,
    );
    expect([channel, ...heard]).toEqual([channel, 0, 1, 1, 1]);
  }
});

test("G62: a client event on a public channel is refused", async () => {
  for (const channel of ["g62", "cache-g62", "my-private-g62", "Private-g62"]) {
    const listener = await subscriber(channel);
    const sender = await subscriber(channel);
    const error = await refused(sender, { event: "client-g62", channel, data: {} }, [listener]);
    expect(error.data).toMatchObject({
      code: null,
      message: "Client event rejected - only supported on private and presence channels",
    });
  }
});

test("G62: a client event on an encrypted channel is refused", async () => {
  const listener = await subscriber("private-encrypted-g62");
  const sender = await subscriber("private-encrypted-g62");
  const error = await refused(sender, { event: "client-g62", channel: "private-encrypted-g62" }, [listener]);
  expect(error.data).toMatchObject({ code: null, reason: "clientEventEncrypted" });
});

test("G63: a client event of a connection that is not subscribed is refused", async () => {
  const listener = await subscriber("private-g63");
  const stranger = await connectRaw(earshot);
  const error = await refused(stranger, { event: "client-g63", channel: "private-g63", data: {} }, [
    listener,
  ]);
  expect(error.data).toMatchObject({
    code: null,
    message: "Cannot broadcast client event (connection not subscribed to channel private-g63)",
  });
});

test("G63: a client event after unsubscribing, or after a refused subscribe, is refused", async () => {
  const listener = await subscriber("private-g63-off");
  const leaver = await subscriber("private-g63-off");
  leaver.send({ event: "pusher:unsubscribe", data: { channel: "private-g63-off" } });
  const event = { event: "client-g63", channel: "private-g63-off", data: {} };
  expect((await refused(leaver, event, [listener])).data).toMatchObject({
    reason: "clientEventNotSubscribed",
  });

  const intruder = await connectRaw(earshot);
  const answer = await intruder.subscribe("private-g63-off", {
    auth: `${earshot.app.key}:${"0".repeat(64)}`,
  });
  expect(answer.data).toMatchObject({ reason: "signatureInvalid" });
  expect((await refused(intruder, event, [listener])).data).toMatchObject({
    reason: "clientEventNotSubscribed",
  });
});

test("G63: an event without a channel is refused", async () => {
  const sender = await subscriber("private-g63-none");
  for (const channel of [undefined, null, 7, {}]) {
    const error = await refused(sender, { event: "client-g63", channel, data: {} });
    expect(error.data).toMatchObject({
      code: null,
      message: "Invalid client event (must contain channel and data)",
    });
  }
});

test.each([
  "pusher:x",
  "pusher:member_added",
  "pusher:subscription_succeeded",
  "pusher_internal:x",
  "pusher_internal:subscription_succeeded",
  "pusher_internal:member_removed",
  "xclient-y",
  "Client-y",
  " client-y",
  "client_y",
  "message",
  "",
])("G64: an event named %p is never relayed", async (event) => {
  const listener = await subscriber("private-g64");
  const sender = await subscriber("private-g64");
  const error = await refused(sender, { event, channel: "private-g64", data: {} }, [listener]);
  expect(error.data).toMatchObject({
    code: null,
    message: `Unsupported event received on socket:'${event}'`,
  });
});

test("G65: the eleventh event within a second is dropped with 4301, and the connection stays", async () => {
  const listener = await subscriber("private-g65");
  const sender = await subscriber("private-g65");
  for (let i = 1; i <= 11; i++) sender.send({ event: "client-g65", channel: "private-g65", data: { i } });
  const error = await sender.next("pusher:error");
  expect(error.data).toMatchObject({ code: 4301, limit: 10, actual: 11 });
  await sender.settled();
  await listener.settled();
  const arrived = () => listener.frames.filter(({ event }) => event === "client-g65").map(({ data }) => data);
  expect(arrived()).toEqual(Array.from({ length: 10 }, (_, i) => `{"i":${i + 1}}`));

  await until("an event gets through again", async () => {
    sender.send({ event: "client-g65", channel: "private-g65", data: { i: "later" } });
    await sender.settled();
    await listener.settled();
    return arrived().includes('{"i":"later"}');
  });
  await publish(earshot, "private-g65", "still-subscribed", "yes");
  expect((await sender.next("still-subscribed")).data).toBe("yes");
});

test("G65: the limit is each connection's own", async () => {
  const listener = await subscriber("private-g65-own");
  const senders = [await subscriber("private-g65-own"), await subscriber("private-g65-own")];
  for (const sender of senders) {
    for (let i = 0; i < 10; i++) sender.send({ event: "client-g65", channel: "private-g65-own", data: "" });
  }
  await Promise.all(senders.map((sender) => sender.settled()));
  await listener.settled();
  expect(listener.frames.filter(({ event }) => event === "client-g65")).toHaveLength(20);
});

test("G66: where the app has client events off, one is answered by an error and the connection stays", async () => {
  const channel = "private-g66";
  const listener = await subscriber(channel);
  const sender = await subscriber(channel);
  await earshot.updateApp("--client-events", "false");
  try {
    let error: Frame | undefined;
    await until("the switch is turned", async () => {
      sender.send({ event: "client-g66", channel, data: {} });
      await sender.settled();
      error = sender.frames.find(({ raw }) => raw.includes("clientEventsDisabled"));
      return error !== undefined;
    });
    expect(error?.data).toMatchObject({
      code: null,
      message: "To send client events, you must enable this feature in the Settings page of your dashboard.",
    });
    await refused(sender, { event: "client-g66", channel, data: {} }, [listener]);
    await publish(earshot, channel, "still-subscribed", "yes");
    expect((await sender.next("still-subscribed")).data).toBe("yes");
  } finally {
    await earshot.updateApp("--client-events", "true");
  }
});

test.each([
  ["ASCII", "x".repeat(10_240)],
  ["two bytes a character", "é".repeat(5_120)],
  ["three bytes a character", `${"€".repeat(3_413)}x`],
  ["four bytes a character", "😀".repeat(2_560)],
])("G67: 10,240 bytes of %s are relayed, one more is refused", async (_, data) => {
  const channel = "private-g67";
  const listener = await subscriber(channel);
  const sender = await subscriber(channel);
  sender.send({ event: "client-g67", channel, data });
  expect((await listener.next("client-g67")).data).toBe(data);
  const error = await refused(sender, { event: "client-g67", channel, data: `${data}x` }, [listener]);
  expect(error.data).toMatchObject({
    code: null,
    reason: "clientEventTooLarge",
    limit: 10_240,
    actual: 10_241,
  });
});

test("G67: an object is measured as the string that it is relayed as", async () => {
  const channel = "private-g67-object";
  const listener = await subscriber(channel);
  const sender = await subscriber(channel);
  const text = "x".repeat(10_240 - '{"t":""}'.length);
  sender.send({ event: "client-g67", channel, data: { t: text } });
  expect((await listener.next("client-g67")).data).toBe(JSON.stringify({ t: text }));
  const error = await refused(sender, { event: "client-g67", channel, data: { t: `${text}x` } }, [listener]);
  expect(error.data).toMatchObject({ reason: "clientEventTooLarge", actual: 10_241 });
});
