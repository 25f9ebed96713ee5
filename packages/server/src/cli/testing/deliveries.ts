/** The file of deliveries as a server leaves it in a data folder. */
import { join } from "node:path";
import { writeWebhook } from "@earshot/protocol/webhook";
import type { AttemptRow } from "#webhooks/attempt-table";
import { openDeliveryFile } from "#webhooks/delivery-file";
import { DeliveryTables } from "#webhooks/delivery-tables";

export interface LeftDeliveries {
  readonly tables: DeliveryTables;
  /** Of the endpoint. */
  readonly key: number;
  close(): void;
}

export function leaveDeliveries(dataDir: string, appId: string, endpointId: string): LeftDeliveries {
  const db = openDeliveryFile(join(dataDir, "deliveries.db"), 1_000);
  const tables = new DeliveryTables(db);
  return { tables, key: tables.endpoints.add(appId, endpointId, "{}"), close: () => db.close() };
}

/** One attempt to tell that a channel is occupied. */
export function attemptOf(change: Partial<AttemptRow> = {}, channel = "orders"): AttemptRow {
  const event = { name: "channel_occupied", channel, id: "7-5", version: 5, occurred_ms: 1 } as const;
  return {
    deliveryId: "d1",
    attempt: 1,
    atMs: Date.UTC(2026, 0, 31, 9, 30),
    versions: [5],
    signingKey: "k1",
    request: writeWebhook({ timeMs: 1, events: [event] }),
    outcome: { answered: true, status: 200, response: "ok" },
    durationMs: 12,
    ...change,
  };
}
