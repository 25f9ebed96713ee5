import type { WebhookName } from "@earshot/protocol/webhook";
import type { App, WebhookEndpoint } from "./app.ts";

/** Whether an endpoint wants events of this kind about this channel; also while it is paused. */
export function wants(endpoint: WebhookEndpoint, name: WebhookName, channel: string): boolean {
  return (
    endpoint.events.includes(name) && channel.startsWith(endpoint.prefix) && channel.endsWith(endpoint.suffix)
  );
}

/** Whether any endpoint does: what nobody wants is not written down. The protocol's own channels are told to nobody. */
export function isWantedByAny(app: App, name: WebhookName, channel: string): boolean {
  return !channel.startsWith("#") && app.webhooks.some((endpoint) => wants(endpoint, name, channel));
}
