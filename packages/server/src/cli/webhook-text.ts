/** How webhook endpoints are shown: to a person, and as JSON to a script. Values of headers may be secrets. */

import type { App, WebhookEndpoint } from "#core/app";
import { printable } from "./terminal.ts";
import { date, table } from "./text-table.ts";

export function endpointsAsTable(apps: readonly App[]): string {
  const rows = apps.flatMap((app) =>
    app.webhooks.map((endpoint) => [
      endpoint.id,
      app.id,
      endpoint.enabled ? "enabled" : "disabled",
      printable(endpoint.url),
      endpoint.events.join(","),
      channelsOf(endpoint),
    ]),
  );
  if (rows.length === 0) return `There are no webhook endpoints yet: make one with "earshot webhooks add".`;
  return table([["id", "app", "state", "url", "events", "channels"], ...rows]);
}

/** @param withSecrets whether the values of headers are told */
export function endpointShown(appId: string, endpoint: WebhookEndpoint, withSecrets: boolean): string {
  return table([
    ["id", endpoint.id],
    ["app", appId],
    ["url", printable(endpoint.url)],
    ["events", endpoint.events.join(",")],
    ["prefix", endpoint.prefix || "any"],
    ["suffix", endpoint.suffix || "any"],
    ["batch", String(endpoint.batch)],
    ["enabled", String(endpoint.enabled)],
    ...Object.entries(headersShown(endpoint, withSecrets)).map(([name, value]) => [
      "header",
      `${name}: ${value}`,
    ]),
    ["created", date(endpoint.createdMs)],
  ]);
}

export function endpointAsJson(endpoint: WebhookEndpoint, withSecrets: boolean) {
  return { ...endpoint, headers: headersShown(endpoint, withSecrets) };
}

function headersShown({ headers }: WebhookEndpoint, withSecrets: boolean): WebhookEndpoint["headers"] {
  if (withSecrets) return headers;
  return Object.fromEntries(Object.keys(headers).map((name) => [name, "set"]));
}

/** Such as `private-*-live`. */
function channelsOf({ prefix, suffix }: WebhookEndpoint): string {
  return prefix === "" && suffix === "" ? "all" : `${prefix}*${suffix}`;
}
