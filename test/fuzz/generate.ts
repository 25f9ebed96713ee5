import type { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { large, mutated, mutatedBytes, strangeToken } from "./mutate.ts";
import { AUTH_MARK, asBytes, FRAMINGS, type RequestStep, type Step } from "./step.ts";

/** Channels where the fuzzer, and those who listen to it, may be. */
export const SHARED: readonly [string, ...string[]] = [
  "news",
  "my-cache-x",
  "cache-x",
  "private-x",
  "private-cache-x",
  "presence-x",
  "presence-cache-x",
  "private-encrypted-x",
  "private-encrypted-cache-x",
  "__proto__",
];

const STRANGE_CHANNELS: readonly [string, ...string[]] = [
  "",
  " ",
  "a b",
  "a/b",
  "a:b",
  "#",
  "#server-to-user-",
  "#server-to-user-u-1",
  "#server-to-user-u-7",
  "#server-to-user-a/b",
  "#x",
  "private-",
  "presence-",
  "Private-x",
  "ä",
  "a\u0000",
  "constructor",
  "n".repeat(200),
  "n".repeat(201),
  "n".repeat(5_000),
  "\ud800",
];

const USERS: readonly [string, ...string[]] = [
  "u-1",
  "u-2",
  "u-3",
  "__proto__",
  "constructor",
  "7",
  "Zoë",
  "😀",
];

const EVENTS: readonly [string, ...string[]] = [
  "client-typing",
  "client-",
  "client-x",
  "xclient-y",
  "Client-x",
  "pusher:ping",
  "pusher:pong",
  "pusher:subscribe",
  "pusher:unsubscribe",
  "pusher:signin",
  "pusher:error",
  "pusher_internal:member_added",
  "",
  "__proto__",
  "e",
  "App\\Events\\Shipped",
  `client-${"x".repeat(193)}`,
  `client-${"x".repeat(194)}`,
];

export function channelName(chance: SeededChance): string {
  if (chance.integer(8) === 0) return chance.pick(STRANGE_CHANNELS);
  return chance.integer(3) === 0 ? chance.pick(["private-x", "presence-x"]) : chance.pick(SHARED);
}

/** A message as a client could send it, whole or damaged. */
export function textStep(chance: SeededChance, client: number): Step {
  if (chance.integer(400) === 0) return { do: "text", client, text: large(chance) };
  const { text, sign, signIn } = message(chance);
  const isForged = (sign ?? signIn) !== undefined && chance.integer(40) === 0;
  const isDamaged = !isForged && chance.integer(5) < 3;
  return {
    do: "text",
    client,
    text: isDamaged ? mutated(chance, text) : text,
    ...(sign === undefined ? {} : { sign }),
    ...(signIn === undefined ? {} : { signIn }),
    ...(isForged ? { forged: true as const } : {}),
  };
}

interface Message {
  readonly text: string;
  readonly sign?: readonly [string, string?];
  readonly signIn?: string;
}

function message(chance: SeededChance): Message {
  const kind = chance.integer(10);
  if (kind < 5) return chance.integer(8) === 0 ? signInMessage(chance) : subscribe(chance);
  const channel = channelName(chance);
  if (kind < 7) return { text: JSON.stringify({ event: "pusher:unsubscribe", data: { channel } }) };
  if (kind < 9) return clientEvent(chance, channel);
  const event = chance.pick(EVENTS);
  return {
    text: chance.integer(2) === 0 ? JSON.stringify({ event }) : JSON.stringify({ event, channel, data: {} }),
  };
}

function subscribe(chance: SeededChance): Message {
  const channel = channelName(chance);
  const needsMember = channel.startsWith("presence-") !== (chance.integer(15) === 0);
  const channelData = needsMember ? memberData(chance) : undefined;
  const data = { channel, auth: AUTH_MARK, channel_data: channelData };
  const doubleEncoded = chance.integer(10) === 0;
  const text = JSON.stringify({
    event: "pusher:subscribe",
    data: doubleEncoded ? JSON.stringify(data) : data,
  });
  if (chance.integer(12) === 0) return { text };
  return { text, sign: channelData === undefined ? [channel] : [channel, channelData] };
}

function signInMessage(chance: SeededChance): Message {
  const watchlist = chance.pick<unknown>([
    undefined,
    [],
    ["u-1", "u-2"],
    ["u-1", "u-1"],
    [7],
    "u-1",
    Array(101).fill("u"),
  ]);
  const whole = JSON.stringify({ id: chance.pick(USERS), user_info: { name: "Zoë" }, watchlist });
  const data = (chance.integer(4) === 0 ? mutated(chance, whole) : whole).toWellFormed();
  const text = JSON.stringify({ event: "pusher:signin", data: { auth: AUTH_MARK, user_data: data } });
  return { text, signIn: data };
}

function memberData(chance: SeededChance): string {
  const info = chance.integer(3) === 0 ? { name: "Zoë" } : undefined;
  const text = JSON.stringify({
    user_id: chance.integer(6) === 0 ? chance.integer(10) : chance.pick(USERS),
    user_info: info,
  });
  if (chance.integer(20) === 0) return `{"user_id":"u-1","user_info":${large(chance)}}`;
  if (chance.integer(20) === 0) return `{"user_id":${strangeToken(chance)}}`.toWellFormed();
  return chance.integer(4) === 0 ? mutated(chance, text).toWellFormed() : text;
}

function clientEvent(chance: SeededChance, channel: string): Message {
  const event = chance.integer(3) === 0 ? chance.pick(EVENTS) : "client-typing";
  const data = chance.pick([
    '{"on":true}',
    '"text"',
    "null",
    "[1,2]",
    "7",
    '"{\\"on\\":true}"',
    strangeToken(chance),
  ]);
  const forged = chance.integer(5) === 0 ? ',"user_id":"forged","userId":"forged","extra":{}' : "";
  if (chance.integer(40) === 0)
    return { text: `{"event":"client-x","channel":"${channel}","data":${large(chance)}}` };
  const withData = chance.integer(6) === 0 ? "" : `,"data":${data}`;
  return {
    text: `{"event":${JSON.stringify(event)},"channel":${JSON.stringify(channel)}${withData}${forged}}`,
  };
}

const METHODS: readonly [string, ...string[]] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const INFO: readonly [string, ...string[]] = [
  "user_count",
  "subscription_count",
  "cache",
  "user_count,subscription_count",
  "",
  ",",
  "nothing",
  "__proto__",
  "user_count,",
];

/** A request to the API, whole or damaged. */
export function requestStep(chance: SeededChance, appId: string): RequestStep {
  const [method, path, query, body] = chance.pick([
    () => ["POST", "/events", "", eventBody(chance)],
    () => ["POST", "/events", "", eventBody(chance)],
    () => ["POST", "/events", eventQuery(chance), chance.integer(2) === 0 ? undefined : "{}"],
    () => ["POST", "/batch_events", "", batchBody(chance)],
    () => [
      "GET",
      "/channels",
      `filter_by_prefix=${chance.pick(["presence-", "", "p", "%"])}&info=${chance.pick(INFO)}`,
    ],
    () => ["GET", `/channels/${segment(chance)}`, `info=${chance.pick(INFO)}`],
    () => ["GET", `/channels/${segment(chance)}/${chance.pick(["users", "stats", "events", "x"])}`, ""],
    () => [
      "POST",
      `/channels/${segment(chance)}/events`,
      `name=${chance.pick(["e", "", "pusher:x"])}`,
      "raw data",
    ],
  ] as readonly [() => Parts, ...(() => Parts)[]])();
  const isWhole = chance.integer(5) < 2;
  const damagedPath = chance.integer(10) === 0 ? damagedUrl(chance, path) : path;
  const step: RequestStep = {
    do: "request",
    method: chance.integer(20) === 0 ? chance.pick(METHODS) : method,
    path: `/apps/${chance.integer(25) === 0 ? chance.pick(["", "3", "nobody", "__proto__", "%zz", "4711%20"]) : appId}${damagedPath}`,
    query: isWhole || chance.integer(3) > 0 ? query : damagedUrl(chance, query),
    sign: chance.integer(12) > 0,
    ...(chance.integer(20) === 0 ? { forged: true as const } : {}),
    ...(chance.integer(12) === 0 ? { tamper: [chance.integer(400), chance.integer(7)] as const } : {}),
    framing: chance.integer(3) === 0 ? chance.pick(FRAMINGS) : "length",
  };
  return body === undefined ? step : { ...step, body: isWhole ? asBytes(body) : damagedBody(chance, body) };
}

type Parts = readonly [method: string, path: string, query: string, body?: string];

function damagedBody(chance: SeededChance, body: string): string {
  if (chance.integer(400) === 0) return asBytes(large(chance));
  return chance.integer(3) === 0 ? mutatedBytes(chance, asBytes(body)) : asBytes(mutated(chance, body));
}

function damagedUrl(chance: SeededChance, text: string): string {
  const piece = chance.pick([
    "%",
    "%zz",
    "%00",
    "%2f",
    "%ff",
    "%e2%82%ac",
    "&",
    "=",
    "+",
    "[]",
    "?",
    "//",
    "..",
    ";",
    "name=",
    "data=d",
  ]);
  const at = chance.integer(text.length + 1);
  return chance.integer(2) === 0 ? text.slice(0, at) + piece + text.slice(at) : text.slice(0, at) + piece;
}

function segment(chance: SeededChance): string {
  const name = channelName(chance);
  return chance.integer(3) === 0
    ? name.replaceAll(/[/?#\s\p{Cc}]/gu, "_")
    : encodeURIComponent(name.toWellFormed());
}

function event(chance: SeededChance): Record<string, unknown> {
  return {
    name: chance.integer(10) === 0 ? chance.pick(EVENTS) : "shipped",
    data: chance.pick<unknown>([
      "{}",
      "",
      "text",
      '{"id":42}',
      { id: 42 },
      null,
      ["a"],
      "x".repeat(10_240),
      "ä".repeat(5_121),
    ]),
    ...(chance.integer(4) === 0
      ? { socket_id: chance.pick<unknown>(["1.2", "1.x", "", null, 7, "1.2\n"]) }
      : {}),
    ...(chance.integer(4) === 0 ? { info: chance.pick<unknown>([...INFO, null, 7]) } : {}),
  };
}

function eventBody(chance: SeededChance): string {
  const count = chance.integer(20) === 0 ? chance.pick([0, 99, 100, 101]) : chance.integer(4);
  const channels = Array.from({ length: count }, () => chance.pick(SHARED));
  if (chance.integer(8) === 0) channels.push(channelName(chance));
  const where = chance.pick<Record<string, unknown>>([
    { channels },
    { channels },
    { channel: channelName(chance) },
    {},
    { channels: "news" },
  ]);
  return JSON.stringify({ ...event(chance), ...where });
}

function eventQuery(chance: SeededChance): string {
  return chance.pick([
    "name=e&data=d&channels[]=news&channels[]=cache-x",
    "name=e&data=d&channel=news",
    "name=e+f&data=%7B%7D&channels=news,cache-x",
    "name=e",
  ]);
}

function batchBody(chance: SeededChance): string {
  const batch = Array.from({ length: chance.integer(12) }, () => ({
    ...event(chance),
    channel: channelName(chance),
  }));
  return JSON.stringify({ batch });
}
