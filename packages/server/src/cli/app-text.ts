/** How apps are shown: to a person, and as JSON to a script. */

import { DEFAULT_LIMITS, LIMIT_NAMES } from "@earshot/protocol/limits";
import type { App, AppKey } from "#core/app";
import { writeQuota } from "#core/quota";
import { limitFlag } from "./app-change.ts";
import { printable } from "./terminal.ts";
import { date, table } from "./text-table.ts";
import { endpointAsJson } from "./webhook-text.ts";

export function appsAsTable(apps: readonly App[]): string {
  if (apps.length === 0) return `There are no apps yet: make one with "earshot apps create".`;
  const rows = apps.map((app) => [
    app.id,
    app.enabled ? "enabled" : "disabled",
    activeKeys(app)
      .map(({ key }) => key)
      .join(" ") || "no active key",
    printable(app.name),
  ]);
  return table([["id", "state", "active keys", "name"], ...rows]);
}

export function appShown(app: App, withSecrets: boolean): string {
  const yes = (value: boolean) => (value ? "true" : "false");
  return [
    table([
      ["id", app.id],
      ["name", printable(app.name)],
      ["created", date(app.createdMs)],
      ["enabled", yes(app.enabled)],
      ["tls-only", yes(app.tlsOnly)],
      ["client-events", yes(app.features.clientEvents)],
      ["subscription-count", yes(app.features.subscriptionCount)],
      ["watchlist", yes(app.features.watchlist)],
      ["allowed-origin", app.allowedOrigins.join(" ") || "any"],
      ["quota", app.quotas.map(writeQuota).join(" ") || "none"],
      ["webhook endpoints", String(app.webhooks.length)],
      ...LIMIT_NAMES.map((name) => [
        limitFlag(name),
        `${app.limits[name]}${app.limits[name] === DEFAULT_LIMITS[name] ? "" : ` (default ${DEFAULT_LIMITS[name]})`}`,
      ]),
    ]),
    "",
    table([
      ["key", "created", "state", ...(withSecrets ? ["secret"] : [])],
      ...app.keys.map((pair) => [
        pair.key,
        date(pair.createdMs),
        pair.revoked ? "revoked" : "active",
        ...(withSecrets ? [pair.secret] : []),
      ]),
    ]),
  ].join("\n");
}

/** Id, key and secret, as a back-end and a page need them. */
export function credentials(app: App, pair: AppKey): string {
  return table([
    ["id", app.id],
    ["key", pair.key],
    ["secret", pair.secret],
  ]);
}

/** @param shows whether the secret of a pair is told */
export function appAsJson(app: App, shows: (pair: AppKey) => boolean) {
  return {
    ...app,
    webhooks: app.webhooks.map((endpoint) => endpointAsJson(endpoint, false)),
    keys: app.keys.map((pair) => {
      const { secret, ...rest } = pair;
      return shows(pair) ? { ...rest, secret } : rest;
    }),
  };
}

function activeKeys(app: App): readonly AppKey[] {
  return app.keys.filter(({ revoked }) => !revoked);
}
