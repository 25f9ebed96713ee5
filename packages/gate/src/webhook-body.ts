import type { Change } from "./change.ts";
import { versionAt } from "./trusted-feed.ts";

/** An event of a webhook as it was sent. All kinds have `name` and `channel`; Earshot adds `id`, `version` and `occurred_ms`. */
export interface WebhookEvent {
  readonly name: string;
  readonly channel: string;
  readonly [field: string]: unknown;
}

export interface Webhook {
  readonly events: readonly WebhookEvent[];
  /** What the events say of who listens, in their order. */
  readonly changes: readonly Change[];
}

/**
 * Reads the body of a webhook whose signature was right. A text says what is wrong with it.
 *
 * @param isTrusted whether events without a version are ordered by the time of the webhook
 */
export function readWebhook(body: string, isTrusted: boolean): Webhook | string {
  const read = parse(body);
  if (typeof read !== "object" || read === null) return "the body is no JSON object";
  const timeMs: unknown = Reflect.get(read, "time_ms");
  const events: unknown = Reflect.get(read, "events");
  if (!Number.isSafeInteger(timeMs) || typeof timeMs !== "number") return "time_ms is no whole number";
  if (!Array.isArray(events) || !events.every(isEvent))
    return "events is no list of objects with name and channel";
  const changes: Change[] = [];
  for (const [index, event] of events.entries()) {
    if (event.name !== "channel_occupied" && event.name !== "channel_vacated") continue;
    const version = event["version"] ?? (isTrusted ? versionAt(timeMs, index) : undefined);
    const occurredMs = event["occurred_ms"] ?? timeMs;
    if (!isCount(version) || !isCount(occurredMs)) {
      return (
        `the ${event.name} of ${event.channel} has no version: the gate is set for Earshot; ` +
        'for another service, make it with freshness: "trusted"'
      );
    }
    changes.push({
      channel: event.channel,
      isOccupied: event.name === "channel_occupied",
      version,
      occurredMs,
    });
  }
  return { events, changes };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // said by the caller
  }
}

function isEvent(value: unknown): value is WebhookEvent {
  if (typeof value !== "object" || value === null) return false;
  return typeof Reflect.get(value, "name") === "string" && typeof Reflect.get(value, "channel") === "string";
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
