/** Endpoints as an operator sets them up, with the program, and webhooks as a back-end reads them. */

import type { StampedEvent, WebhookName } from "@earshot/protocol/webhook";
import type Pusher from "pusher";
import type { Earshot } from "./earshot.ts";
import { runProgram } from "./program.ts";
import type { ReceivedWebhook } from "./webhook-receiver.ts";

export interface EndpointOptions {
  readonly events?: readonly WebhookName[];
  readonly prefix?: string;
  readonly suffix?: string;
  readonly batch?: boolean;
  readonly enabled?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** The server's first app where left out. */
  readonly appId?: string;
}

/** `earshot webhooks add`; returns the endpoint's id, at once, not when the server acts on it. */
export async function addWebhook(
  earshot: Pick<Earshot, "app" | "dataDir">,
  url: string,
  options: EndpointOptions = {},
): Promise<string> {
  const of = ["--data", earshot.dataDir, "--app", options.appId ?? earshot.app.id];
  const said = await runProgram(["webhooks", "add", ...of, "--url", url, "--json", ...flagsOf(options)]);
  const made: unknown = JSON.parse(said);
  if (typeof made === "object" && made !== null && "id" in made) return String(made.id);
  throw new Error(`earshot webhooks add --json tells no id: ${said}`);
}

/** `earshot webhooks update`. */
export async function updateWebhook(
  earshot: Pick<Earshot, "app" | "dataDir">,
  id: string,
  options: EndpointOptions,
): Promise<void> {
  const of = ["--data", earshot.dataDir, "--app", options.appId ?? earshot.app.id];
  await runProgram(["webhooks", "update", ...of, "--endpoint", id, ...flagsOf(options)]);
}

function flagsOf({ events, prefix, suffix, batch, enabled, headers = {} }: EndpointOptions): string[] {
  return [
    ...(events === undefined ? [] : ["--events", events.join(",")]),
    ...(prefix === undefined ? [] : ["--prefix", prefix]),
    ...(suffix === undefined ? [] : ["--suffix", suffix]),
    ...(batch === undefined ? [] : ["--batch", String(batch)]),
    ...(enabled === undefined ? [] : ["--enabled", String(enabled)]),
    ...Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
  ];
}

/** What a webhook holds, as the official library reads it. @throws where the library finds it not valid */
export function eventsOf(library: Pusher, { headers, body }: ReceivedWebhook): readonly StampedEvent[] {
  const webhook = library.webhook({ headers, rawBody: body });
  if (!webhook.isValid()) throw new Error(`the official library refuses a webhook: ${body}`);
  return webhook.getEvents() as unknown as readonly StampedEvent[]; // the library types the hosted service's fields only
}
