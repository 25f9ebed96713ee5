/** The flags of `earshot webhooks add` and `update`, and the change that they ask for. */

import { type StateEvent, WEBHOOK_NAMES, type WebhookName } from "@earshot/protocol/webhook";
import type { FlagKind } from "#config/load";
import { didYouMean } from "#config/nearest";
import { Refused } from "#store/refused";
import type { WebhookDraft } from "#store/webhooks";
import { flag, type Given } from "./given.ts";

export const ENDPOINT_FLAGS = {
  url: "text",
  events: "text",
  prefix: "text",
  suffix: "text",
  batch: "text",
  header: "texts",
  enabled: "text",
} as const satisfies Readonly<Record<string, FlagKind>>;

const STATE_EVENTS: readonly StateEvent["name"][] = [
  "channel_occupied",
  "channel_vacated",
  "member_added",
  "member_removed",
];

/** @throws Refused where a value is not of its kind; whether it is allowed, the core says */
export function endpointChangeFrom(given: Given): Partial<WebhookDraft> {
  const { events, header } = given;
  return {
    ...text(given, "url"),
    ...(typeof events === "string" ? { events: eventsFrom(events) } : {}),
    ...text(given, "prefix"),
    ...text(given, "suffix"),
    ...flag(given, "batch", "batch"),
    ...(Array.isArray(header) ? { headers: headersFrom(header) } : {}),
    ...flag(given, "enabled", "enabled"),
  };
}

/** @throws Refused where there is no URL */
export function endpointFrom(given: Given): WebhookDraft {
  const { url, ...change } = endpointChangeFrom(given);
  if (url === undefined)
    throw new Refused(
      "--url must be given: it is where the webhooks go, such as https://shop.example.com/webhooks.",
    );
  return {
    url,
    events: STATE_EVENTS,
    prefix: "",
    suffix: "",
    batch: true,
    headers: {},
    enabled: true,
    ...change,
  };
}

function text<const Field extends "url" | "prefix" | "suffix">(
  given: Given,
  field: Field,
): { readonly [F in Field]?: string } {
  const value = given[field];
  return typeof value === "string" ? ({ [field]: value } as { readonly [F in Field]?: string }) : {}; // the one field that was asked for
}

function eventsFrom(list: string): readonly WebhookName[] {
  const names = list.split(",").map((name) => name.trim());
  return names.filter((name) => name !== "").map(eventFrom);
}

function eventFrom(name: string): WebhookName {
  const known = WEBHOOK_NAMES.find((one) => one === name);
  if (known !== undefined) return known;
  throw new Refused(
    `There is no webhook event ${JSON.stringify(name)}.${didYouMean(name, WEBHOOK_NAMES)} Events are: ${WEBHOOK_NAMES.join(", ")}.`,
  );
}

/** An empty one clears them. A value is not repeated in an error: it may be a secret. */
function headersFrom(lines: readonly string[]): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  for (const line of lines.filter((one) => one !== "")) {
    const colon = line.indexOf(":");
    if (colon < 0) throw new Refused(`A --header has no colon: write --header "Name: value".`);
    const name = line.slice(0, colon).trim();
    if (headers.has(name))
      throw new Refused(`--header ${JSON.stringify(name)} is given twice: give it once.`);
    headers.set(name, line.slice(colon + 1).trim());
  }
  return Object.fromEntries(headers);
}
