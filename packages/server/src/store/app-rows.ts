/** How an app lies in the database. Limits and features hold only what was set, so that a new default reaches old apps. */

import { LIMIT_NAMES, type LimitName } from "@earshot/protocol/limits";
import {
  type App,
  type AppDraft,
  type AppFeatures,
  type AppKey,
  DEFAULT_FEATURES,
  type Quota,
  type WebhookEndpoint,
} from "#core/app";
import { entriesOf, itemsOf, jsonOf } from "./json-column.ts";
import { DatabaseProblem, numberOf, type Row, type Sql, textOf } from "./sql.ts";
import { deleteWebhooksOf, readWebhooks, readWebhooksOf } from "./webhook-rows.ts";

/** A row as it stands: everything is there, nothing is checked yet. */
export type StoredApp = AppDraft &
  Required<Pick<AppDraft, "name" | "limits" | "features" | "quotas" | "webhooks" | "createdMs">>;

/** Grows with every change that any process makes. */
export async function changeCount(sql: Sql): Promise<number> {
  const rows = await sql`SELECT count FROM earshot_app_changes`;
  if (rows[0] === undefined)
    throw new DatabaseProblem("Table earshot_app_changes is empty: restore the database.");
  return numberOf(rows[0], "count");
}

export async function countChange(sql: Sql): Promise<void> {
  await sql`UPDATE earshot_app_changes SET count = count + 1`;
}

/** Oldest first. */
export async function readApps(sql: Sql): Promise<readonly StoredApp[]> {
  const apps = await sql`SELECT * FROM earshot_apps ORDER BY created_ms, id`;
  const keys = await sql`SELECT * FROM earshot_app_keys ORDER BY created_ms, key`;
  const keysByApp = Map.groupBy(keys, (row) => textOf(row, "app_id"));
  const webhooksByApp = await readWebhooks(sql);
  return apps.map((row) => {
    const id = textOf(row, "id");
    return storedApp(row, keysByApp.get(id) ?? [], webhooksByApp.get(id) ?? []);
  });
}

export async function readApp(sql: Sql, id: string): Promise<StoredApp | undefined> {
  const [row] = await sql`SELECT * FROM earshot_apps WHERE id = ${id}`;
  if (row === undefined) return undefined;
  return storedApp(
    row,
    await sql`SELECT * FROM earshot_app_keys WHERE app_id = ${id} ORDER BY created_ms, key`,
    await readWebhooksOf(sql, id),
  );
}

/** Whose key it is. */
export async function readKeyOwner(sql: Sql, key: string): Promise<string | undefined> {
  const [row] = await sql`SELECT app_id FROM earshot_app_keys WHERE key = ${key}`;
  return row === undefined ? undefined : textOf(row, "app_id");
}

/** @param limits those that the app sets itself */
export async function insertApp(sql: Sql, app: App, limits: StoredApp["limits"]): Promise<void> {
  await sql`
    INSERT INTO earshot_apps (id, name, enabled, tls_only, limits, features, allowed_origins, quotas, created_ms)
    VALUES (${app.id}, ${app.name}, ${app.enabled ? 1 : 0}, ${app.tlsOnly ? 1 : 0}, ${JSON.stringify(limits)},
      ${JSON.stringify(app.features)}, ${JSON.stringify(app.allowedOrigins)}, ${JSON.stringify(app.quotas)},
      ${app.createdMs})`;
  for (const pair of app.keys) await insertKey(sql, app.id, pair);
}

export async function updateApp(sql: Sql, app: App, limits: StoredApp["limits"]): Promise<void> {
  await sql`
    UPDATE earshot_apps SET name = ${app.name}, enabled = ${app.enabled ? 1 : 0}, tls_only = ${app.tlsOnly ? 1 : 0},
      limits = ${JSON.stringify(limits)}, features = ${JSON.stringify(app.features)},
      allowed_origins = ${JSON.stringify(app.allowedOrigins)}, quotas = ${JSON.stringify(app.quotas)}
    WHERE id = ${app.id}`;
}

export async function insertKey(sql: Sql, appId: string, pair: AppKey): Promise<void> {
  await sql`
    INSERT INTO earshot_app_keys (key, app_id, secret, revoked, created_ms)
    VALUES (${pair.key}, ${appId}, ${pair.secret}, ${pair.revoked ? 1 : 0}, ${pair.createdMs})`;
}

export async function markRevoked(sql: Sql, key: string): Promise<void> {
  await sql`UPDATE earshot_app_keys SET revoked = 1 WHERE key = ${key}`;
}

export async function deleteApp(sql: Sql, id: string): Promise<void> {
  await deleteWebhooksOf(sql, id);
  await sql`DELETE FROM earshot_app_keys WHERE app_id = ${id}`;
  await sql`DELETE FROM earshot_apps WHERE id = ${id}`;
}

function storedApp(row: Row, keys: readonly Row[], webhooks: readonly WebhookEndpoint[]): StoredApp {
  return {
    id: textOf(row, "id"),
    name: textOf(row, "name"),
    enabled: numberOf(row, "enabled") === 1,
    tlsOnly: numberOf(row, "tls_only") === 1,
    keys: keys.map((key) => ({
      key: textOf(key, "key"),
      secret: textOf(key, "secret"),
      revoked: numberOf(key, "revoked") === 1,
      createdMs: numberOf(key, "created_ms"),
    })),
    limits: limitsOf(jsonOf(row, "limits")),
    features: featuresOf(jsonOf(row, "features")),
    allowedOrigins: originsOf(jsonOf(row, "allowed_origins")),
    quotas: quotasOf(jsonOf(row, "quotas")),
    webhooks,
    createdMs: numberOf(row, "created_ms"),
  };
}

/** A limit that this version does not know came from another version, and is left alone. */
function limitsOf(value: unknown): StoredApp["limits"] {
  const limits: Partial<Record<LimitName, number>> = {};
  for (const [name, limit] of entriesOf(value)) {
    const known = LIMIT_NAMES.find((one) => one === name);
    if (known !== undefined && typeof limit === "number") limits[known] = limit;
  }
  return limits;
}

function featuresOf(value: unknown): AppFeatures {
  const given = new Map(entriesOf(value));
  const feature = (name: keyof AppFeatures) => {
    const on = given.get(name);
    return typeof on === "boolean" ? on : DEFAULT_FEATURES[name];
  };
  return {
    clientEvents: feature("clientEvents"),
    subscriptionCount: feature("subscriptionCount"),
    watchlist: feature("watchlist"),
  };
}

function originsOf(value: unknown): readonly string[] {
  return itemsOf(value).filter((origin) => typeof origin === "string");
}

function quotasOf(value: unknown): readonly Quota[] {
  return itemsOf(value).flatMap((quota) => {
    const { prefix, maxSubscriptions } = Object.fromEntries(entriesOf(quota));
    return typeof prefix === "string" && typeof maxSubscriptions === "number"
      ? [{ prefix, maxSubscriptions }]
      : [];
  });
}
