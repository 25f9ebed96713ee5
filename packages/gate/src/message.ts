import { channelKind } from "@earshot/protocol/channel";
import { LIMITS } from "@earshot/protocol/limits";
import { GateError } from "./gate-error.ts";
import type { TriggerParams } from "./publisher.ts";

export interface Message {
  readonly name: string;
  /** Absent where `undefined` was given. */
  readonly data?: unknown;
  readonly params?: TriggerParams;
}

const CHANNEL = /^[-A-Za-z0-9_=@,.;]+$/;
const SOCKET_ID = /^\d+\.\d+$/;

/**
 * What the `pusher` library would refuse is refused whether or not it is to be sent, so that a mistake does not show only
 * once somebody listens.
 */
export function refusalOf(
  channels: readonly string[],
  event: string,
  params: TriggerParams | undefined,
): GateError | undefined {
  const maxChannels = LIMITS.maxChannelsPerEvent.default;
  const maxName = LIMITS.maxChannelNameChars.default;
  const maxEvent = LIMITS.maxEventNameChars.default;
  if (channels.length === 0) return invalid("no channel was given: name at least one");
  if (channels.length > maxChannels) {
    return invalid(
      `${channels.length} channels in one call; at most ${maxChannels} go together: call more than once`,
    );
  }
  if (typeof event !== "string")
    return invalid(`the event is named ${String(event)}; its name must be a string`);
  if (event.length > maxEvent) {
    return invalid(
      `the event's name has ${event.length} characters; at most ${maxEvent} are allowed: shorten it`,
    );
  }
  for (const channel of channels) {
    if (typeof channel !== "string" || !CHANNEL.test(channel)) {
      return invalid(`'${String(channel)}' is no channel name: use letters, digits and - _ = @ , . ;`);
    }
    if (channel.length > maxName) {
      return invalid(
        `'${channel}' has ${channel.length} characters; at most ${maxName} are allowed: shorten it`,
      );
    }
    if (channels.length > 1 && channelKind(channel).kind === "encrypted") {
      return invalid(`'${channel}' is encrypted, so its event is its own: call once for each channel`);
    }
  }
  const socketId = params?.socket_id;
  if (socketId !== undefined && socketId !== "" && !SOCKET_ID.test(socketId)) {
    return invalid(
      `'${socketId}' is no socket id: pass the one that the client's library tells, such as 13.37`,
    );
  }
  return undefined;
}

/** Whether an event must be published although nobody listens: cache channels remember it for those who come later. */
export function mustBeHeardLater(channel: string): boolean {
  return channelKind(channel).cache;
}

/** @throws TypeError for data that JSON cannot hold, as the `pusher` library does */
export function writeMessage(message: Message): string {
  return JSON.stringify(message);
}

/** Reads what `writeMessage` wrote. */
export function readMessage(text: string): Message {
  return JSON.parse(text) as Message; // our own writing, from a store of the caller's
}

function invalid(message: string): GateError {
  return new GateError("message_invalid", message);
}
