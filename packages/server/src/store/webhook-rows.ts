/** How webhook endpoints lie in the database. */
import { WEBHOOK_NAMES } from "@earshot/protocol/webhook";
import type { WebhookEndpoint } from "#core/app";
import { entriesOf, itemsOf, jsonOf } from "./json-column.ts";
import { numberOf, type Row, type Sql, textOf } from "./sql.ts";

/** Of every app, oldest first. */
export async function readWebhooks(sql: Sql): Promise<ReadonlyMap<string, readonly WebhookEndpoint[]>> {
  const rows = await sql`SELECT * FROM earshot_webhooks ORDER BY created_ms, id`;
  const rowsByApp = Map.groupBy(rows, (row) => textOf(row, "app_id"));
  return new Map([...rowsByApp].map(([appId, ofApp]) => [appId, endpointsOf(ofApp)]));
}

/** Oldest first. */
export async function readWebhooksOf(sql: Sql, appId: string): Promise<readonly WebhookEndpoint[]> {
  return endpointsOf(
    await sql`SELECT * FROM earshot_webhooks WHERE app_id = ${appId} ORDER BY created_ms, id`,
  );
}

export async function insertWebhook(sql: Sql, appId: string, endpoint: WebhookEndpoint): Promise<void> {
  await sql`
    INSERT INTO earshot_webhooks (id, app_id, url, events, prefix, suffix, batch, headers, enabled, created_ms)
    VALUES (${endpoint.id}, ${appId}, ${endpoint.url}, ${JSON.stringify(endpoint.events)}, ${endpoint.prefix},
      ${endpoint.suffix}, ${endpoint.batch ? 1 : 0}, ${JSON.stringify(endpoint.headers)},
      ${endpoint.enabled ? 1 : 0}, ${endpoint.createdMs})`;
}

export async function updateWebhook(sql: Sql, endpoint: WebhookEndpoint): Promise<void> {
  await sql`
    UPDATE earshot_webhooks SET url = ${endpoint.url}, events = ${JSON.stringify(endpoint.events)},
      prefix = ${endpoint.prefix}, suffix = ${endpoint.suffix}, batch = ${endpoint.batch ? 1 : 0},
      headers = ${JSON.stringify(endpoint.headers)}, enabled = ${endpoint.enabled ? 1 : 0}
    WHERE id = ${endpoint.id}`;
}

export async function deleteWebhook(sql: Sql, id: string): Promise<void> {
  await sql`DELETE FROM earshot_webhooks WHERE id = ${id}`;
}

export async function deleteWebhooksOf(sql: Sql, appId: string): Promise<void> {
  await sql`DELETE FROM earshot_webhooks WHERE app_id = ${appId}`;
}

/** An event that this version does not know came from another version; an endpoint that wants nothing else gets nothing. */
function endpointsOf(rows: readonly Row[]): readonly WebhookEndpoint[] {
  return rows.map(endpointOf).filter(({ events }) => events.length > 0);
}

function endpointOf(row: Row): WebhookEndpoint {
  const events = itemsOf(jsonOf(row, "events"));
  return {
    id: textOf(row, "id"),
    url: textOf(row, "url"),
    events: WEBHOOK_NAMES.filter((name) => events.includes(name)),
    prefix: textOf(row, "prefix"),
    suffix: textOf(row, "suffix"),
    batch: numberOf(row, "batch") === 1,
    headers: headersOf(jsonOf(row, "headers")),
    enabled: numberOf(row, "enabled") === 1,
    createdMs: numberOf(row, "created_ms"),
  };
}

function headersOf(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    entriesOf(value).flatMap(([name, text]) => (typeof text === "string" ? [[name, text]] : [])),
  );
}
