import { isStateEvent, type StateEvent, type WebhookEvent } from "@earshot/protocol/webhook";
import type { Announced } from "#core/ports";

/** What a state is about, as one text: CHANNEL or CHANNEL/USER. No channel name holds a slash. */
export function subjectOf(event: WebhookEvent): string | undefined {
  if (!isStateEvent(event)) return undefined;
  return "user_id" in event ? `${event.channel}/${event.user_id}` : event.channel;
}

export function parseSubject(subject: string): { readonly channel: string; readonly userId?: string } {
  const slash = subject.indexOf("/");
  if (slash < 0) return { channel: subject };
  return { channel: subject.slice(0, slash), userId: subject.slice(slash + 1) };
}

export function subjectOfAnnounced({ channel, userId }: Announced): string {
  return userId === undefined ? channel : `${channel}/${userId}`;
}

/** The event that told it: the same, to the letter, each time. */
export function eventOfAnnounced({ channel, userId, isPresent }: Announced): StateEvent {
  if (userId === undefined) return { name: isPresent ? "channel_occupied" : "channel_vacated", channel };
  return { name: isPresent ? "member_added" : "member_removed", channel, user_id: userId };
}

export function isPresence(event: StateEvent): boolean {
  return event.name === "channel_occupied" || event.name === "member_added";
}
