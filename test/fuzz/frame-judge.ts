/** What the server may say over a WebSocket, judged without the server's own parsers. */
import { ERRORS } from "@earshot/protocol/errors";

const REASONS: ReadonlySet<string> = new Set(Object.keys(ERRORS));

/** A frame as far as the judge names it: `pong`, `error:frameInvalidJson`, `succeeded`, `event`. */
export interface JudgedFrame {
  readonly token: string;
  readonly channel: string | undefined;
  readonly data: unknown;
  readonly fields: Readonly<Record<string, unknown>>;
}

const SYSTEM_EVENTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "pusher:connection_established": "welcome",
    "pusher:signin_success": "signedIn",
    "pusher_internal:watchlist_events": "watchlist",
    "pusher:pong": "pong",
    "pusher:cache_miss": "miss",
    "pusher:subscription_error": "plain",
    "pusher_internal:subscription_error": "internal",
    "pusher_internal:subscription_succeeded": "succeeded",
    "pusher_internal:subscription_count": "count",
    "pusher_internal:member_added": "added",
    "pusher_internal:member_removed": "removed",
  }),
);

/** Messages without a channel. */
const CONNECTION_LEVEL: ReadonlySet<string> = new Set(["welcome", "pong", "signedIn", "watchlist"]);

/** Frames that others cause, so that they may come at any time. */
export const BROADCASTS: ReadonlySet<string> = new Set(["count", "added", "removed", "event", "watchlist"]);

/** @throws where the frame is none that the server may send */
export function judgeFrame(raw: string, mayBeUnavailable = false): JudgedFrame {
  const fail = (why: string): never => {
    throw new Error(`${why}: ${raw.slice(0, 500)}`);
  };
  if (!raw.isWellFormed()) fail("a frame has no UTF-8 form");
  const fields = fieldsOf(JSON.parse(raw)) ?? fail("a frame is no object");
  const { event, channel, data } = fields as { event?: unknown; channel?: unknown; data?: unknown };
  if (typeof event !== "string") return fail("a frame has no event");
  if (channel !== undefined && typeof channel !== "string") return fail("a channel is no text");
  if (event === "pusher:error")
    return { token: `error:${judgeError(fields, fail, mayBeUnavailable)}`, channel, data, fields };
  if (typeof data !== "string") return fail("data is no text");
  const token = SYSTEM_EVENTS.get(event);
  if (token === undefined) {
    if (event.startsWith("pusher:") || event.startsWith("pusher_internal:"))
      fail("an event of the protocol was forged");
    if (channel === undefined) fail("an event has no channel");
    return { token: "event", channel, data, fields };
  }
  const isOnChannel = !CONNECTION_LEVEL.has(token);
  if (isOnChannel !== (channel !== undefined)) fail("a channel is there, or is not, against the protocol");
  if (Object.keys(fields).length > (isOnChannel ? 3 : 2))
    fail("a frame has more keys than the protocol gives it");
  JSON.parse(data); // every message of the protocol's own has JSON in its data
  return { token, channel, data, fields };
}

function judgeError(
  fields: Readonly<Record<string, unknown>>,
  fail: (why: string) => never,
  mayBeUnavailable: boolean,
): string {
  const data = fieldsOf(fields["data"]) ?? fail("the data of an error is no object");
  const reason = data["reason"];
  if (typeof reason !== "string" || !REASONS.has(reason)) return fail("an error has no reason of the table");
  const row = ERRORS[reason as keyof typeof ERRORS]; // it is one of the table's keys
  if (data["code"] !== row.code) fail("an error has another code than the table says");
  const message = data["message"];
  if (typeof message !== "string" || message === "") fail("an error has no message");
  if ("channel" in fields) fail("an error has a channel");
  if (reason === "unavailable" && !mayBeUnavailable) fail("something broke inside the server");
  return reason;
}

const AFTER_SUBSCRIBE = [
  "signatureInvalid",
  "authKeyInvalid",
  "subscriptionLimit",
  "channelNameInvalid",
  "channelNameTooLong",
  "userChannelRefused",
  "channelDataMissing",
  "channelDataInvalid",
  "userIdTooLong",
  "memberTooLarge",
  "presenceFull",
];

const AFTER_SIGN_IN = [
  "signatureInvalid",
  "signInKeyInvalid",
  "signedInAsAnother",
  "userDataInvalid",
  "signInIdTooLong",
  "signInInfoTooLarge",
];

const AFTER_CLIENT_EVENT = [
  "frameInvalidJson", // nested too deeply
  "clientEventsDisabled",
  "clientEventPublic",
  "clientEventEncrypted",
  "clientEventNotSubscribed",
  "clientEventInvalid",
  "clientEventRate",
  "clientEventTooLarge",
  "eventNameTooLong",
  "channelNameInvalid",
  "channelNameTooLong",
];

export type Answer = readonly string[];

/** The answers that a client may get to a text, each as the tokens of its frames. */
export function documentedAnswers(text: string, maxFrameBytes: number): readonly Answer[] {
  if (Buffer.byteLength(text) > maxFrameBytes) return [["error:frameTooLarge"]];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [["error:frameInvalidJson"]];
  }
  const fields = fieldsOf(value);
  const event = fields?.["event"];
  if (fields === undefined || typeof event !== "string") return [["error:frameNotObject"]];
  switch (event) {
    case "pusher:ping":
      return [["pong"]];
    case "pusher:pong":
      return [[]];
    case "pusher:unsubscribe":
      return [[], ["error:subscriptionMissing"]];
    case "pusher:signin":
      return [
        ["signedIn"],
        ["signedIn", "error:watchlistLimit"],
        ...AFTER_SIGN_IN.map((reason) => [`error:${reason}`]),
      ];
    case "pusher:subscribe":
      return afterSubscribe(fields["data"]);
    default:
      if (!event.startsWith("client-")) return [["error:eventUnsupported"]];
      return [[], ...AFTER_CLIENT_EVENT.map((reason) => [`error:${reason}`])];
  }
}

const MAX_REPEATED_CHANNEL_CHARS = 1_000;

function afterSubscribe(data: unknown): readonly Answer[] {
  const channel = (fieldsOf(data) ?? fieldsOf(tryParse(data)))?.["channel"];
  const isRepeated = typeof channel === "string" && channel.length <= MAX_REPEATED_CHANNEL_CHARS;
  const rest = isRepeated ? ["internal", "plain"] : [];
  return [
    ["error:subscriptionExists"],
    ...AFTER_SUBSCRIBE.map((reason) => [`error:${reason}`, ...rest]),
    ["succeeded"],
    ["succeeded", "miss"],
    ["succeeded", "remembered"],
  ];
}

function tryParse(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>) // an object, as was just seen
    : undefined;
}

/** Whether a client's frames are answers to its messages, one after the other, in their order. */
export function explains(expected: readonly (readonly Answer[])[], tokens: readonly string[]): boolean {
  let positions = new Set([0]);
  for (const answers of expected) {
    const next = new Set<number>();
    for (const position of positions) {
      for (const answer of answers) {
        if (answer.every((token, index) => tokens[position + index] === token))
          next.add(position + answer.length);
      }
    }
    positions = next;
  }
  return positions.has(tokens.length);
}
