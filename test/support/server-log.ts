import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { StampedEvent, WebhookEvent } from "@earshot/protocol/webhook";

interface EntryRow {
  readonly version: number;
  readonly occurred_ms: number;
  readonly event: string;
}

/** Everything that the server has written down to be told, in order of version; also while it runs. */
export function readServerLog(dataDir: string, appId: string): StampedEvent[] {
  const database = new Database(join(dataDir, "outbox.db"), { readonly: true });
  try {
    return database
      .query<EntryRow, [string]>(
        "SELECT version, occurred_ms, event FROM entries WHERE app_id = ? ORDER BY version",
      )
      .all(appId)
      .map(({ version, occurred_ms, event }) => {
        const plain: WebhookEvent = JSON.parse(event); // as the server wrote it
        return { ...plain, id: `${appId}-${version}`, version, occurred_ms };
      });
  } finally {
    database.close();
  }
}

/** The versions that some endpoint will not be told any more by itself. */
export function readDeadLetters(dataDir: string): ReadonlySet<number> {
  const database = new Database(join(dataDir, "deliveries.db"), { readonly: true });
  try {
    const rows = database.query<{ version: number }, []>("SELECT version FROM dead_letters").all();
    return new Set(rows.map(({ version }) => version));
  } finally {
    database.close();
  }
}

/** When an event was decided, from its version: Unix milliseconds, whole ones. */
export function decidedMs({ version }: Pick<StampedEvent, "version">): number {
  return Math.floor(version / 1_000);
}
