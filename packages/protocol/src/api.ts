/**
 * What a back-end may ask of the HTTP API: parsers from unknown input to typed requests, and the shapes of the answers.
 *
 * @see docs/protocol/http-api.md
 */
import { type ChannelKind, parseChannelName } from "./channel.ts";
import { ProtocolError, protocolError } from "./errors.ts";
import { jsonText } from "./json-text.ts";
import type { Limits } from "./limits.ts";
import type { Query } from "./query.ts";
import { isSocketId } from "./socket-id.ts";
import { bytesOver } from "./text-size.ts";

/** One event for one or more channels, checked against the limits of its app. */
export interface Trigger {
  readonly name: string;
  /** The string that subscribers receive. */
  readonly data: string;
  /** Distinct, in the order of the request. */
  readonly channels: readonly NamedChannel[];
  readonly exceptSocketId?: string;
  readonly info: ChannelInfo;
}

export interface NamedChannel {
  readonly name: string;
  readonly kind: ChannelKind;
}

/** Which attributes the caller asked for. */
export interface ChannelInfo {
  readonly userCount: boolean;
  readonly subscriptionCount: boolean;
  readonly cache: boolean;
}

/** Attributes that were asked for and apply; others are left out, never null (except an empty cache). */
export interface ChannelAttributes {
  user_count?: number;
  subscription_count?: number;
  cache?: { readonly data: string; readonly ttl: number } | null;
}

type Attribute = keyof ChannelAttributes;
type Fields = Readonly<Record<string, unknown>>;

const NO_INFO: ChannelInfo = { userCount: false, subscriptionCount: false, cache: false };

/** The body of POST /events; parameters that the body lacks may stand in the query. */
export function parseTrigger(body: unknown, query: Query, limits: Limits): Trigger | ProtocolError {
  const fields = withQuery(body, query);
  if (fields instanceof ProtocolError) return fields;
  return trigger(fields, channelNames(fields), limits);
}

/** The body of POST /batch_events: everything is checked before anything is sent. */
export function parseBatch(body: unknown, limits: Limits): readonly Trigger[] | ProtocolError {
  if (!isFields(body)) return protocolError("apiBodyInvalid", { problem: "it is not a JSON object" });
  const batch = body["batch"];
  if (batch === undefined) return protocolError("apiParameterMissing", { parameter: "batch" });
  if (!Array.isArray(batch)) return invalid("batch", "it must be an array of events");
  if (batch.length > limits.maxBatchEvents) {
    return protocolError("apiTooManyEvents", {}, { limit: limits.maxBatchEvents, actual: batch.length });
  }
  const triggers: Trigger[] = [];
  for (const entry of batch) {
    if (!isFields(entry)) return invalid("batch", "each event must be an object");
    const parsed = trigger(entry, [entry["channel"]], limits);
    if (parsed instanceof ProtocolError) return parsed;
    triggers.push(parsed);
  }
  return triggers;
}

/** The publish call of 2012: name and socket_id in the query, the body is the data itself. */
export function parseLegacyTrigger(
  channel: string,
  query: Query,
  data: string,
  limits: Limits,
): Trigger | ProtocolError {
  const fields = { name: query.get("name"), socket_id: query.get("socket_id"), data };
  return trigger(fields, [channel], limits);
}

function trigger(fields: Fields, names: unknown, limits: Limits): Trigger | ProtocolError {
  const name = eventName(fields["name"], limits);
  if (name instanceof ProtocolError) return name;
  const data = eventData(fields["data"], limits);
  if (data instanceof ProtocolError) return data;
  const channels = parseChannels(names, limits);
  if (channels instanceof ProtocolError) return channels;
  const info = parseInfo(fields["info"], ["user_count", "subscription_count"]);
  if (info instanceof ProtocolError) return info;
  const socketId = fields["socket_id"];
  if (socketId === undefined || socketId === null || socketId === "")
    return { name, data: data.text, channels, info };
  if (typeof socketId !== "string" || !isSocketId(socketId)) {
    return protocolError("apiSocketIdInvalid", {
      socketId: typeof socketId === "string" ? socketId : typeof socketId,
    });
  }
  return { name, data: data.text, channels, info, exceptSocketId: socketId };
}

function eventName(name: unknown, limits: Limits): string | ProtocolError {
  if (name === undefined || name === null) return protocolError("apiParameterMissing", { parameter: "name" });
  if (typeof name !== "string" || name === "") return invalid("name", "it must be a non-empty string");
  if (name.length > limits.maxEventNameChars) {
    return protocolError("eventNameTooLong", {}, { limit: limits.maxEventNameChars, actual: name.length });
  }
  const isReserved = name.startsWith("pusher:") || name.startsWith("pusher_internal:");
  return isReserved ? protocolError("apiEventNameReserved", { event: name }) : name;
}

/** A value that is not a string is JSON-encoded; the empty string is data like any other. */
function eventData(data: unknown, limits: Limits): { text: string } | ProtocolError {
  if (data === undefined) return protocolError("apiParameterMissing", { parameter: "data" });
  const text = typeof data === "string" ? data : jsonText(data);
  if (text === undefined) return invalid("data", "it is nested too deeply");
  const tooLarge = bytesOver(text, limits.maxEventBytes);
  if (tooLarge === undefined) return { text };
  return protocolError("apiDataTooLarge", {}, { limit: limits.maxEventBytes, actual: tooLarge });
}

function channelNames(fields: Fields): unknown {
  const many = fields["channels"];
  if (many !== undefined && many !== null) return many;
  const one = fields["channel"];
  return one === undefined || one === null ? undefined : [one];
}

function parseChannels(names: unknown, limits: Limits): readonly NamedChannel[] | ProtocolError {
  if (names === undefined) return protocolError("apiParameterMissing", { parameter: "channels" });
  if (!Array.isArray(names)) return invalid("channels", "it must be an array of channel names");
  if (names.length === 0) return invalid("channels", "it must name at least one channel");
  if (names.length > limits.maxChannelsPerEvent) {
    return protocolError(
      "apiTooManyChannels",
      {},
      { limit: limits.maxChannelsPerEvent, actual: names.length },
    );
  }
  const channels: NamedChannel[] = [];
  const seen = names.length === 1 ? undefined : new Set<unknown>();
  for (const name of names) {
    if (name === undefined) return protocolError("apiParameterMissing", { parameter: "channel" });
    const kind = parseChannelName(name, limits.maxChannelNameChars);
    if (kind instanceof ProtocolError) return kind;
    if (seen?.has(name)) continue;
    seen?.add(name);
    channels.push({ name: String(name), kind });
  }
  return channels;
}

/** GET /channels: prefix, and whether users are to be counted. */
export function parseChannelsQuery(query: Query): { prefix: string; info: ChannelInfo } | ProtocolError {
  const prefix = query.get("filter_by_prefix") ?? "";
  const info = parseInfo(query.get("info"), ["user_count"]);
  if (info instanceof ProtocolError) return info;
  if (info.userCount && !prefix.startsWith("presence-")) return protocolError("apiUserCountNeedsPrefix");
  return { prefix, info };
}

/** GET /channels/NAME: an attribute that the channel cannot have is an error here, unlike in a publish. */
export function parseChannelQuery(
  kind: ChannelKind,
  query: Query,
  app: { readonly id: string; readonly countsSubscriptions: boolean },
): ChannelInfo | ProtocolError {
  const info = parseInfo(query.get("info"), ["user_count", "subscription_count", "cache"]);
  if (info instanceof ProtocolError) return info;
  if (info.userCount && !kind.members) return protocolError("apiUserCountNeedsPresence");
  if (info.subscriptionCount && kind.members) return protocolError("apiSubscriptionCountPresence");
  if (info.subscriptionCount && !app.countsSubscriptions)
    return protocolError("apiSubscriptionCountDisabled", { app: app.id });
  if (info.cache && !kind.cache) return protocolError("apiCacheNeedsCacheChannel");
  return info;
}

function parseInfo(info: unknown, known: readonly Attribute[]): ChannelInfo | ProtocolError {
  if (info === undefined || info === null || info === "") return NO_INFO;
  if (typeof info !== "string") return invalid("info", "it must be a string of names, separated by commas");
  const asked = info.split(",").map((name) => name.trim());
  for (const name of asked) {
    if (name !== "" && !known.some((attribute) => attribute === name)) {
      return invalid("info", `there is no attribute ${JSON.stringify(name)} here, only ${known.join(", ")}`);
    }
  }
  return {
    userCount: asked.includes("user_count"),
    subscriptionCount: asked.includes("subscription_count"),
    cache: asked.includes("cache"),
  };
}

const PARAMETERS = ["name", "data", "channel", "channels", "socket_id", "info"] as const;

/** The documentation lets POST parameters stand in the query too; the body wins. */
function withQuery(body: unknown, query: Query): Fields | ProtocolError {
  if (body !== undefined && !isFields(body))
    return protocolError("apiBodyInvalid", { problem: "it is not a JSON object" });
  if (body !== undefined && query.isSignatureOnly) return body;
  const fields: Record<string, unknown> = { ...body };
  for (const name of PARAMETERS) {
    if (fields[name] !== undefined) continue;
    const list = query.list(name);
    const value = list.length > 0 ? list : query.get(name);
    if (value !== undefined)
      fields[name] = name === "channels" && typeof value === "string" ? value.split(",") : value;
  }
  return fields;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(parameter: string, problem: string): ProtocolError {
  return protocolError("apiParameterInvalid", { parameter, problem });
}
