/** Section D of the client checklist: how data is encoded. @see docs/protocol/checklist.md */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { callApi, publish } from "../../support/api.ts";
import { pusherFor } from "../../support/authorizer.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { disconnectPushers, heard, makePusher, once } from "../../support/pusher-client.ts";
import { connectRaw, dataOf, type Frame } from "../../support/raw-client.ts";
import { until } from "../../support/until.ts";

let earshot: Earshot;
/** One frame of each kind that the server can send, and more. */
let everything: Frame[];

beforeAll(async () => {
  earshot = await startEarshot();
  await earshot.updateApp("--client-events", "true", "--subscription-count", "true");
  everything = await collectEverything();
});
afterEach(disconnectPushers);
afterAll(async () => {
  await earshot.stop();
});

/** Every event that the server names itself. */
const SYSTEM_EVENTS = [
  "pusher:cache_miss",
  "pusher:connection_established",
  "pusher:error",
  "pusher:pong",
  "pusher:subscription_error",
  "pusher_internal:member_added",
  "pusher_internal:member_removed",
  "pusher_internal:subscription_count",
  "pusher_internal:subscription_error",
  "pusher_internal:subscription_succeeded",
];

/** Two clients who do all that makes the server speak. */
async function collectEverything(): Promise<Frame[]> {
  const [ann, bo] = await Promise.all([connectRaw(earshot), connectRaw(earshot)]);
  const member = (id: string) => ({ channel_data: JSON.stringify({ user_id: id, user_info: { name: id } }) });
  await ann.subscribe("presence-room", member("ann"));
  await bo.subscribe("presence-room", member("bo"));
  for (const channel of [
    "news",
    "cache-price",
    "private-x",
    "private-encrypted-x",
    "private-encrypted-cache-x",
  ]) {
    for (const raw of [ann, bo]) await raw.subscribe(channel);
  }
  await publish(earshot, ["news", "cache-price", "presence-room"], "update", "plain");
  for (const data of [{ a: 1 }, "text", 7, null, undefined]) {
    ann.send({ event: "client-x", channel: "private-x", ...(data === undefined ? {} : { data }) });
    ann.send({ event: "client-x", channel: "presence-room", ...(data === undefined ? {} : { data }) });
  }
  const later = await connectRaw(earshot);
  await later.subscribe("cache-price");
  const wrong = [
    "not json",
    "[]",
    { event: "pusher:nothing" },
    { event: "pusher:subscribe" },
    { event: "pusher:subscribe", data: { channel: "private-y", auth: "a:b" } },
    { event: "pusher:subscribe", data: { channel: "news" } },
    { event: "pusher:subscribe", data: { channel: "not a name" } },
    { event: "pusher:unsubscribe", data: { channel: "never" } },
    { event: "client-x", channel: "news", data: {} },
  ];
  for (const message of wrong) ann.send(message);
  for (let at = 0; at < 12; at++) ann.send({ event: "client-y", channel: "private-x", data: at });
  await ann.settled();
  bo.send({ event: "pusher:unsubscribe", data: { channel: "presence-room" } });
  await ann.next("pusher_internal:member_removed");
  const stranger = await connectRaw(earshot, { key: "nobody" });
  await Promise.all([bo.settled(), later.settled()]);
  for (const raw of [ann, bo, later]) raw.close();
  return [...ann.frames, ...bo.frames, ...later.frames, ...stranger.frames];
}

test("D26: the data of pusher:error is an object, that of every other event a string", () => {
  const names = new Set(everything.map(({ event }) => event).filter((event) => event.startsWith("pusher")));
  expect([...names].sort()).toEqual(SYSTEM_EVENTS);
  for (const frame of everything) {
    if (frame.event === "pusher:error") {
      expect(frame.data).toMatchObject({ message: expect.any(String) });
      const { code } = frame.data as { code: unknown }; // an object, as the line above has found
      expect([frame.raw, code === null || Number.isInteger(code)]).toEqual([frame.raw, true]);
    } else {
      expect([frame.raw, typeof frame.data]).toEqual([frame.raw, "string"]);
    }
  }
});

test("D26: the data of every system event but errors is a string of a JSON object", () => {
  for (const frame of everything) {
    if (!SYSTEM_EVENTS.includes(frame.event) || frame.event === "pusher:error") continue;
    const data = dataOf(frame);
    expect([frame.raw, typeof data, Array.isArray(data)]).toEqual([frame.raw, "object", false]);
  }
});

test("D27: every frame has data, client events without data and empty events too", async () => {
  for (const frame of everything) expect(frame.raw).toContain('"data":');
  const raw = await connectRaw(earshot);
  await raw.subscribe("news");
  await publish(earshot, "news", "empty", "");
  expect((await raw.next("empty")).raw).toBe('{"event":"empty","channel":"news","data":""}');
  raw.close();
});

test("D28: member_added and member_removed have string data", () => {
  const rawOf = (name: string) => everything.find(({ event }) => event === name)?.raw;
  expect(rawOf("pusher_internal:member_added")).toBe(
    '{"event":"pusher_internal:member_added","channel":"presence-room","data":"{\\"user_id\\":\\"bo\\",\\"user_info\\":{\\"name\\":\\"bo\\"}}"}',
  );
  expect(rawOf("pusher_internal:member_removed")).toBe(
    '{"event":"pusher_internal:member_removed","channel":"presence-room","data":"{\\"user_id\\":\\"bo\\"}"}',
  );
});

const TEXTS = [
  "plain",
  "",
  " ",
  "123",
  "1e400",
  "-0",
  "null",
  "true",
  '"quoted"',
  '{"a":1}',
  ' { "a" : 1 , "b":[ ] } ',
  '{"b":1,"a":2,"b":3}',
  '{"big":12345678901234567890,"precise":1.10}',
  "{not json",
  '{"nested":"{\\"deep\\":\\"\\\\\\"\\"}"}',
  "back\\slash / and \\/ slash",
  "tab\t line\n return\r bell\u0007",
  "<script>&amp;</script>",
  "a+b%20c&d=e",
  "x".repeat(10_240),
];

test("D29: application data arrives as it was given, byte for byte, JSON or not", async () => {
  await expectUnchanged(TEXTS);
});

test("D29: pusher-js gets what is JSON parsed, and what is not as text", async () => {
  const client = makePusher(earshot);
  const channel = client.subscribe("texts");
  await once(channel, "pusher:subscription_succeeded");
  const found = heard(channel, "text");
  for (const text of TEXTS) await publish(earshot, "texts", "text", text);
  await until("all have come", () => found.length === TEXTS.length);
  expect(found).toEqual(TEXTS.map(parsedIfJson));
});

function parsedIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

test("D30: every kind of character survives, as text and as escape in the request", async () => {
  await expectUnchanged([
    "Zoë, ñ, ß, Ω, ж, 日本語, עברית, العربية",
    "\u2028 line \u2029 paragraph",
    "emoji \u{1f600} family \u{1f468}\u200d\u{1f469}\u200d\u{1f467} flag \u{1f1e6}\u{1f1f9}",
    "zero \u0000 and \u0001 to \u001f and \u007f",
    "\ufeff byte order mark, \ufffd, \uffff",
    "e\u0301 is not \u00e9",
    "half \ud800 of a pair, and \udc00 the other",
  ]);
});

test("D31: channel is absent from events of the connection, and present in all others", () => {
  const ofConnection = new Set(["pusher:connection_established", "pusher:error", "pusher:pong"]);
  for (const { event, raw, channel } of everything) {
    expect([raw, channel !== undefined]).toEqual([raw, !ofConnection.has(event)]);
    if (ofConnection.has(event)) expect(JSON.parse(raw)).not.toHaveProperty("channel");
  }
});

test("D32: no event of ours is unknown to official clients, but those with the internal prefix and Echo's error", () => {
  const official = [
    "pusher:connection_established",
    "pusher:error",
    "pusher:ping",
    "pusher:pong",
    "pusher:cache_miss",
    "pusher_internal:subscription_succeeded",
    "pusher_internal:subscription_count",
    "pusher_internal:member_added",
    "pusher_internal:member_removed",
  ];
  const others = SYSTEM_EVENTS.filter((event) => !official.includes(event));
  expect(others).toEqual(["pusher:subscription_error", "pusher_internal:subscription_error"]);
});

test("D32: pusher-js hands no internal event to the listeners of a channel, and goes on", async () => {
  const client = makePusher(earshot, {
    channelAuthorization: {
      endpoint: "",
      transport: "ajax",
      customHandler: (_request, callback) => callback(null, { auth: `${earshot.app.key}:wrong` }),
    },
  });
  const channel = client.subscribe("private-refused");
  const names: string[] = [];
  channel.bind_global((name: string) => names.push(name));
  await once(channel, "pusher:subscription_error");
  const other = client.subscribe("news");
  await once(other, "pusher:subscription_succeeded");
  const update = once(other, "update");
  await pusherFor(earshot).trigger("news", "update", { fine: true });
  expect(await update).toEqual({ fine: true });
  expect(names).toEqual(["pusher:subscription_error"]);
});

/** Publishes each text in the ways in which libraries write JSON, and looks at what a subscriber gets. */
async function expectUnchanged(texts: readonly string[]): Promise<void> {
  const raw = await connectRaw(earshot);
  await raw.subscribe("exact");
  for (const text of texts) {
    for (const write of [JSON.stringify, escaped]) {
      const body = `{"name":"text","channels":["exact"],"data":${write(text)}}`;
      expect((await callApi(earshot, "POST", "/events", { body })).status).toBe(200);
      const frame = await raw.next("text");
      expect(frame.data).toBe(text);
      expect(frame.raw).toBe(`{"event":"text","channel":"exact","data":${JSON.stringify(text)}}`);
    }
  }
  raw.close();
}

/** JSON as python and php write it: nothing but ASCII. */
function escaped(text: string): string {
  const asEscape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text)
    .replaceAll(/[^ -~]/g, asEscape)
    .replaceAll("/", "\\/");
}
