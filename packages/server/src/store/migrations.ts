/**
 * The steps from an empty database to this version, oldest first. A step that was released is never changed: what it
 * got wrong, the next one mends. The SQL suits SQLite and PostgreSQL: booleans are 0 and 1, lists, limits and headers
 * are JSON.
 */
export interface Migration {
  readonly version: number;
  readonly title: string;
  readonly statements: readonly string[];
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    title: "apps with their keys, operators",
    statements: [
      `CREATE TABLE earshot_apps (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        tls_only INTEGER NOT NULL,
        limits TEXT NOT NULL,
        features TEXT NOT NULL,
        allowed_origins TEXT NOT NULL,
        created_ms BIGINT NOT NULL
      )`,
      `CREATE TABLE earshot_app_keys (
        key TEXT PRIMARY KEY,
        app_id TEXT NOT NULL REFERENCES earshot_apps (id),
        secret TEXT NOT NULL,
        revoked INTEGER NOT NULL,
        created_ms BIGINT NOT NULL
      )`,
      `CREATE INDEX earshot_app_keys_of_app ON earshot_app_keys (app_id)`,
      `CREATE TABLE earshot_app_changes (count BIGINT NOT NULL)`,
      `INSERT INTO earshot_app_changes (count) VALUES (1)`,
      `CREATE TABLE earshot_operators (
        name TEXT PRIMARY KEY,
        password_hash TEXT NOT NULL,
        created_ms BIGINT NOT NULL
      )`,
    ],
  },
  {
    version: 2,
    title: "webhook endpoints, quotas of apps",
    statements: [
      `ALTER TABLE earshot_apps ADD COLUMN quotas TEXT NOT NULL DEFAULT '[]'`,
      `CREATE TABLE earshot_webhooks (
        id TEXT PRIMARY KEY,
        app_id TEXT NOT NULL REFERENCES earshot_apps (id),
        url TEXT NOT NULL,
        events TEXT NOT NULL,
        prefix TEXT NOT NULL,
        suffix TEXT NOT NULL,
        batch INTEGER NOT NULL,
        headers TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        created_ms BIGINT NOT NULL
      )`,
      `CREATE INDEX earshot_webhooks_of_app ON earshot_webhooks (app_id)`,
    ],
  },
];
