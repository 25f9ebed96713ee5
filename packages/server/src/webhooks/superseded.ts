import { isStateEvent, type WebhookEvent } from "@earshot/protocol/webhook";
import type { LaneHost } from "./parts.ts";
import { eventOfAnnounced, isPresence, parseSubject, subjectOf } from "./subject.ts";

/** Whether the endpoint was or will be told a newer state of the same channel or member. */
export async function isSuperseded(host: LaneHost, event: WebhookEvent, version: number): Promise<boolean> {
  const subject = subjectOf(event);
  if (subject === undefined || !isStateEvent(event)) return false;
  const { channel, userId } = parseSubject(subject);
  const announced = await host.parts.outbox.announced(host.app.id, channel, userId);
  if (announced === undefined) return isPresence(event); // vacant for so long that it was forgotten
  return announced.version > version && host.wants(eventOfAnnounced(announced));
}
