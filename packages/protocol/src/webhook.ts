/**
 * Webhooks: what a back-end is told. The shapes are those of Pusher Channels; beyond them each event carries `id`,
 * `version` and `occurred_ms`, which official libraries ignore.
 *
 * @see docs/protocol/webhooks.md
 */

/** Flat objects of strings and numbers, because some libraries decode nothing else. */
export type WebhookEvent =
  | { readonly name: "channel_occupied"; readonly channel: string }
  | { readonly name: "channel_vacated"; readonly channel: string }
  | { readonly name: "member_added"; readonly channel: string; readonly user_id: string }
  | { readonly name: "member_removed"; readonly channel: string; readonly user_id: string }
  | {
      readonly name: "client_event";
      readonly channel: string;
      readonly event: string;
      /** The string that subscribers received. */
      readonly data: string;
      readonly socket_id: string;
      /** On presence channels only. */
      readonly user_id?: string;
    }
  | { readonly name: "cache_miss"; readonly channel: string }
  | { readonly name: "subscription_count"; readonly channel: string; readonly subscription_count: number };

export type WebhookName = WebhookEvent["name"];

/** The events that tell a state: the newest of a channel, or of a member, replaces all before it. */
export type StateEvent = Extract<
  WebhookEvent,
  { name: "channel_occupied" | "channel_vacated" | "member_added" | "member_removed" }
>;

/** The events that tell what happened once. */
export type MomentEvent = Exclude<WebhookEvent, StateEvent>;

export const WEBHOOK_NAMES: readonly WebhookName[] = [
  "channel_occupied",
  "channel_vacated",
  "member_added",
  "member_removed",
  "client_event",
  "cache_miss",
  "subscription_count",
];

export function isStateEvent(event: WebhookEvent): event is StateEvent {
  switch (event.name) {
    case "channel_occupied":
    case "channel_vacated":
    case "member_added":
    case "member_removed":
      return true;
    default:
      return false;
  }
}

/** What Earshot knows of an event beyond its Pusher shape. */
export interface Stamp {
  /** The same for every delivery of the event, to whichever endpoint. */
  readonly id: string;
  /** Grows with every event of an app, below 2^53. Of two events about one channel the higher one is the newer. */
  readonly version: number;
  /** Unix milliseconds at which it happened. */
  readonly occurred_ms: number;
}

export type StampedEvent = WebhookEvent & Stamp;

/** An event on its way: with a stamp where Earshot sent it, without one where the hosted service did. */
export type SentEvent = WebhookEvent & Partial<Stamp>;

/** The body of one request. */
export interface Webhook {
  /** Unix milliseconds at which the request was made, which is later than what its events tell. */
  readonly timeMs: number;
  readonly events: readonly SentEvent[];
}

/** In this order: that of Pusher's own objects, then what Earshot adds. */
const FIELDS = [
  "name",
  "channel",
  "event",
  "data",
  "socket_id",
  "user_id",
  "subscription_count",
  "id",
  "version",
  "occurred_ms",
] as const;

type Field = (typeof FIELDS)[number];

/** The text of a request, which is signed and sent as it is. */
export function writeWebhook({ timeMs, events }: Webhook): string {
  return `{"time_ms":${timeMs},"events":[${events.map(writeEvent).join(",")}]}`;
}

function writeEvent(event: SentEvent): string {
  return JSON.stringify(event, [...FIELDS]); // a list of names decides which fields are written, and in which order
}

/** Why the text of a request is not that of a webhook. */
export class UnreadableWebhook {
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

/** What each kind of event has beside its name; anything else that it carries is not known here. */
const FIELDS_OF: Readonly<Record<WebhookName, readonly Field[]>> = {
  channel_occupied: ["channel"],
  channel_vacated: ["channel"],
  member_added: ["channel", "user_id"],
  member_removed: ["channel", "user_id"],
  client_event: ["channel", "event", "data", "socket_id", "user_id"],
  cache_miss: ["channel"],
  subscription_count: ["channel", "subscription_count"],
};

const STAMP: readonly Field[] = ["id", "version", "occurred_ms"];
const NUMBERS: readonly Field[] = ["subscription_count", "version", "occurred_ms"];

type Fields = Readonly<Partial<Record<string, unknown>>>;

/**
 * The text of a request whose signature has proved right. Never throws. Unknown fields, and events of an unknown kind,
 * are left out: whoever sends may be newer than whoever reads.
 */
export function parseWebhook(text: string): Webhook | UnreadableWebhook {
  const body = parseFields(text);
  if (body === undefined) return new UnreadableWebhook("the body is not a JSON object");
  const { time_ms: timeMs, events: listed } = body;
  if (!isWhole(timeMs)) return new UnreadableWebhook("time_ms is not a whole number of milliseconds");
  if (!Array.isArray(listed)) return new UnreadableWebhook("events is not an array");
  const events: SentEvent[] = [];
  for (const [index, item] of listed.entries()) {
    const event = parseEvent(item);
    if (typeof event === "string") return new UnreadableWebhook(`events[${index}]${event}`);
    if (event !== undefined) events.push(event);
  }
  return { timeMs, events };
}

/** Undefined for a kind that this version does not know; a text says what is wrong. */
function parseEvent(value: unknown): SentEvent | string | undefined {
  if (!isFields(value)) return " is not an object";
  const name = WEBHOOK_NAMES.find((known) => known === value["name"]);
  if (name === undefined) return typeof value["name"] === "string" ? undefined : ".name is not a string";
  const event: Partial<Record<Field, unknown>> = { name };
  for (const field of [...FIELDS_OF[name], ...STAMP]) {
    const given = value[field];
    const isOptional = STAMP.includes(field) || (name === "client_event" && field === "user_id");
    if (given === undefined && isOptional) continue;
    const isNumber = NUMBERS.includes(field);
    if (isNumber && !isWhole(given)) return `.${field} is not a whole number`;
    if (!isNumber && typeof given !== "string") return `.${field} is not a string`;
    event[field] = given;
  }
  if (event.channel === "") return ".channel is empty";
  return event as SentEvent; // each field is of its kind, and those that the name needs are there
}

function parseFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
