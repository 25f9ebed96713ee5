/**
 * Every frame that Earshot sends, one function each, returning the text of the frame.
 * `data` of all of them is a string, but for `pusher:error`, where official clients need an object.
 *
 * @see docs/protocol/messages.md
 */
import type { ProtocolError } from "./errors.ts";

/** Text for JSON. Names of channels need no escapes but are written like any other text. */
const quote = (text: string): string => JSON.stringify(text);

export function connectionEstablished(socketId: string, activityTimeoutSeconds: number): string {
  return `{"event":"pusher:connection_established","data":${quote(`{"socket_id":"${socketId}","activity_timeout":${activityTimeoutSeconds}}`)}}`;
}

export const PONG = '{"event":"pusher:pong","data":"{}"}';
export const PING = '{"event":"pusher:ping","data":"{}"}';

/**
 * Beside the official `code` and `message`: why, what was allowed, what came, what to do. An error that ends the
 * connection has no `reason`: pusher-js would take it for that of a close frame and show it in place of the message.
 */
export function error(failure: ProtocolError): string {
  const { code, message, remedy } = failure;
  const { limit, actual } = failure.measured;
  const data = { code, message, reason: failure.isFatal ? undefined : failure.reason, limit, actual, remedy };
  return `{"event":"pusher:error","data":${JSON.stringify(data)}}`;
}

/** Ends the pending subscribe of a client that waits for it; official name on one client, common name on the others. */
export function subscriptionErrors(channel: string, failure: ProtocolError): readonly [string, string] {
  const { limit, actual } = failure.measured;
  const data = quote(
    JSON.stringify({ type: failure.type, error: failure.message, status: failure.status, limit, actual }),
  );
  const rest = `"channel":${quote(channel)},"data":${data}}`;
  return [
    `{"event":"pusher_internal:subscription_error",${rest}`,
    `{"event":"pusher:subscription_error",${rest}`,
  ];
}

export function subscriptionSucceeded(channel: string): string {
  return `{"event":"pusher_internal:subscription_succeeded","channel":${quote(channel)},"data":"{}"}`;
}

export interface PresentMember {
  readonly userId: string;
  /** JSON text. */
  readonly infoJson: string;
}

/** Distinct users, the new one among them. */
export function presenceSucceeded(channel: string, members: readonly PresentMember[]): string {
  const ids = members.map((member) => quote(member.userId)).join(",");
  const hash = members.map((member) => `${quote(member.userId)}:${member.infoJson}`).join(",");
  const data = `{"presence":{"ids":[${ids}],"hash":{${hash}},"count":${members.length}}}`;
  return `{"event":"pusher_internal:subscription_succeeded","channel":${quote(channel)},"data":${quote(data)}}`;
}

export function memberAdded(channel: string, member: PresentMember): string {
  const data = `{"user_id":${quote(member.userId)},"user_info":${member.infoJson}}`;
  return `{"event":"pusher_internal:member_added","channel":${quote(channel)},"data":${quote(data)}}`;
}

export function memberRemoved(channel: string, userId: string): string {
  const data = `{"user_id":${quote(userId)}}`;
  return `{"event":"pusher_internal:member_removed","channel":${quote(channel)},"data":${quote(data)}}`;
}

export function subscriptionCount(channel: string, count: number): string {
  return `{"event":"pusher_internal:subscription_count","channel":${quote(channel)},"data":"{\\"subscription_count\\":${count}}"}`;
}

export function cacheMiss(channel: string): string {
  return `{"event":"pusher:cache_miss","channel":${quote(channel)},"data":"{}"}`;
}

/** Without a channel. @param userData the very string that the client signed in with */
export function signinSuccess(userData: string): string {
  return `{"event":"pusher:signin_success","data":${quote(`{"user_data":${quote(userData)}}`)}}`;
}

/** Who of the watched users is online and who is not; without a channel. What nobody is, is left out. */
export function watchlistEvents(online: readonly string[], offline: readonly string[]): string {
  const events = [
    { name: "online", user_ids: online },
    { name: "offline", user_ids: offline },
  ].filter(({ user_ids }) => user_ids.length > 0);
  return `{"event":"pusher_internal:watchlist_events","data":${quote(JSON.stringify({ events }))}}`;
}

/** One application event, written once for all channels that it goes to. */
export function eventWriter(name: string, data: string): (channel: string) => string {
  const head = `{"event":${quote(name)},"channel":`;
  const tail = `,"data":${quote(data)}}`;
  return (channel) => head + quote(channel) + tail;
}

export function event(name: string, channel: string, data: string): string {
  return eventWriter(name, data)(channel);
}

/** `userId` only on presence channels, from the server's own knowledge. */
export function clientEvent(name: string, channel: string, data: string, userId: string | undefined): string {
  const user = userId === undefined ? "" : `,"user_id":${quote(userId)}`;
  return `{"event":${quote(name)},"channel":${quote(channel)},"data":${quote(data)}${user}}`;
}
