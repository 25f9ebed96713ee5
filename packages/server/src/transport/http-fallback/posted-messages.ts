import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import { bodyJson } from "../api/body.ts";

const MAX_MESSAGES = 256; // ours: pusher-js sends one a post

/** The body of an `xhr_send`: an array of texts, each of them one message. An empty one is a sign of life. */
export function readPostedMessages(body: Uint8Array): readonly string[] | ProtocolError {
  const value = bodyJson(body);
  if (value instanceof ProtocolError) return invalid(value.message);
  if (!Array.isArray(value)) return invalid("it is not a JSON array");
  if (value.length > MAX_MESSAGES)
    return invalid(`it holds ${value.length} messages, more than ${MAX_MESSAGES}`);
  return value.every((message) => typeof message === "string")
    ? value
    : invalid("not every item is a string");
}

function invalid(problem: string): ProtocolError {
  return protocolError("fallbackBodyInvalid", { problem });
}
