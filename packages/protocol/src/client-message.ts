import { ProtocolError, protocolError } from "./errors.ts";
import { jsonText } from "./json-text.ts";
import { bytesOver } from "./text-size.ts";

/** What a client may send, as far as its shape goes; names, sizes and rights are judged by whoever acts on it. */
export type ClientMessage =
  | { readonly type: "ping" }
  | { readonly type: "pong" }
  | {
      readonly type: "subscribe";
      readonly channel: unknown;
      readonly auth: unknown;
      readonly channelData: unknown;
    }
  | { readonly type: "unsubscribe"; readonly channel: unknown }
  | { readonly type: "signIn"; readonly auth: unknown; readonly userData: unknown }
  /** `data` is the string that subscribers will receive. */
  | { readonly type: "clientEvent"; readonly event: string; readonly channel: string; readonly data: string };

type Fields = Readonly<Record<string, unknown>>;

/** One text frame from a client. Never throws, whatever the text holds. */
export function parseClientMessage(text: string, maxBytes: number): ClientMessage | ProtocolError {
  const tooLarge = bytesOver(text, maxBytes);
  if (tooLarge !== undefined)
    return protocolError("frameTooLarge", {}, { limit: maxBytes, actual: tooLarge });
  const message = parseJson(text);
  if (message instanceof ProtocolError) return message;
  if (!isFields(message)) return protocolError("frameNotObject");
  const event = message["event"];
  if (typeof event !== "string") return protocolError("frameNotObject");
  switch (event) {
    case "pusher:ping":
      return { type: "ping" };
    case "pusher:pong":
      return { type: "pong" };
    case "pusher:subscribe": {
      const data = commandData(message["data"]);
      return {
        type: "subscribe",
        channel: data["channel"],
        auth: data["auth"],
        channelData: data["channel_data"],
      };
    }
    case "pusher:unsubscribe":
      return { type: "unsubscribe", channel: commandData(message["data"])["channel"] };
    case "pusher:signin": {
      const data = commandData(message["data"]);
      return { type: "signIn", auth: data["auth"], userData: data["user_data"] };
    }
    default:
      return event.startsWith("client-")
        ? clientEvent(event, message)
        : protocolError("eventUnsupported", { event });
  }
}

function clientEvent(event: string, message: Fields): ClientMessage | ProtocolError {
  const channel = message["channel"];
  if (typeof channel !== "string") return protocolError("clientEventInvalid");
  const data = asText(message["data"]);
  return data instanceof ProtocolError ? data : { type: "clientEvent", event, channel, data };
}

/**
 * Strings are passed on as they are, other values are JSON-encoded once, and a missing value becomes `{}`, because
 * every relayed frame must have `data`.
 */
function asText(data: unknown): string | ProtocolError {
  if (typeof data === "string") return data;
  if (data === undefined) return "{}";
  return jsonText(data) ?? protocolError("frameInvalidJson");
}

/** Official clients send an object; some others encode it a second time. Anything else counts as empty. */
function commandData(data: unknown): Fields {
  const value = typeof data === "string" ? parseJson(data) : data;
  return isFields(value) ? value : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return protocolError("frameInvalidJson");
  }
}

function isFields(value: unknown): value is Fields {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ProtocolError)
  );
}
