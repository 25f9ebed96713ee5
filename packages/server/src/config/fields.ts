/**
 * Every setting, declared once: loading, checking, printing and the reference page follow from this table.
 * Where a setting comes from, strongest first: flag, environment, file, default.
 *
 * @see docs/reference/settings.md
 */
import { problemOfGivenApp } from "./given-app.ts";
import { problemOfAddress, problemOfDatabaseUrl, problemOfPrefix, problemOfToken } from "./texts.ts";

type SettingUnit = "bytes" | "seconds" | "milliseconds" | "messages" | "events" | "port";

interface AnyRow {
  /** Where it is not the path in kebab case. The variable of the environment always follows the flag. */
  readonly flag?: string;
  /** The value is never shown. */
  readonly secret?: true;
  readonly doc: string;
}

interface TextRow extends AnyRow {
  readonly type: "string";
  readonly default: string;
  /** The default with `--dev`, where it is another one. */
  readonly devDefault?: string;
  readonly choices?: readonly string[];
  /** What is wrong with a value and how to write it, or undefined for a good one. Must not repeat a secret. */
  readonly problem?: (text: string) => string | undefined;
}

interface IntegerRow extends AnyRow {
  readonly type: "integer";
  readonly default: number;
  readonly unit: SettingUnit;
  readonly min: number;
  readonly max: number;
}

interface BooleanRow extends AnyRow {
  readonly type: "boolean";
  readonly default: boolean;
}

interface ListRow extends AnyRow {
  readonly type: "list";
  readonly default: readonly string[];
  /** Where flags and variables are split into items. */
  readonly split: RegExp;
  readonly problem?: (item: string) => string | undefined;
}

export type SettingRow = TextRow | IntegerRow | BooleanRow | ListRow;

const COMMAS_OR_SPACES = /[\s,]+/;
const SPACES = /\s+/; // a secret may hold a comma

const SETTINGS = {
  "data.dir": {
    type: "string",
    flag: "data",
    default: "./data",
    doc: "The folder that holds everything this server keeps. One server owns it at a time.",
  },
  "http.host": {
    type: "string",
    flag: "host",
    default: "0.0.0.0",
    devDefault: "127.0.0.1",
    doc: "The address to listen on.",
  },
  "http.port": {
    type: "integer",
    flag: "port",
    default: 6001,
    unit: "port",
    min: 0,
    max: 65_535,
    doc: "The port for WebSocket and HTTP API; 0 takes any free one.",
  },
  "http.prefixes": {
    type: "list",
    flag: "prefix",
    default: [],
    split: COMMAS_OR_SPACES,
    problem: problemOfPrefix,
    doc: "Path prefixes that are served beside the bare paths, such as /realtime.",
  },
  "http.maxBodyBytes": {
    type: "integer",
    default: 2_097_152,
    unit: "bytes",
    min: 1_024,
    max: 1_073_741_824,
    doc: "The longest request body; a longer one is refused unread.",
  },
  "http.trustedProxies": {
    type: "list",
    default: [],
    split: COMMAS_OR_SPACES,
    problem: problemOfAddress,
    doc: "Addresses or CIDR ranges of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
  },
  "tls.cert": {
    type: "string",
    default: "",
    doc: "File of the certificate chain (PEM); a changed file is taken up without a restart. Empty means no TLS.",
  },
  "tls.key": {
    type: "string",
    default: "",
    doc: "File of the certificate's private key (PEM).",
  },
  "database.url": {
    type: "string",
    flag: "database",
    default: "",
    secret: true,
    problem: problemOfDatabaseUrl,
    doc: "postgres://USER:PASSWORD@HOST:PORT/NAME keeps apps and operators in PostgreSQL; empty keeps them in the data folder.",
  },
  "apps.given": {
    type: "list",
    flag: "app",
    default: [],
    split: SPACES,
    secret: true,
    problem: problemOfGivenApp,
    doc: "ID:KEY:SECRET of apps that are made at the start where they are missing.",
  },
  "apps.refreshMs": {
    type: "integer",
    default: 500,
    unit: "milliseconds",
    min: 20,
    max: 60_000,
    doc: "How often the database is asked for changed apps.",
  },
  "socket.activityTimeoutSeconds": {
    type: "integer",
    default: 120,
    unit: "seconds",
    min: 1,
    max: 86_400,
    doc: "A connection that was silent for so long is asked for a sign of life; clients are told the number.",
  },
  "socket.pongTimeoutSeconds": {
    type: "integer",
    default: 30,
    unit: "seconds",
    min: 1,
    max: 3_600,
    doc: "How long the sign of life may take before the connection is closed with 4201.",
  },
  "socket.maxBackpressureBytes": {
    type: "integer",
    default: 1_048_576,
    unit: "bytes",
    min: 16_384,
    max: 1_073_741_824,
    doc: "What may wait for a slow reader before its connection is closed.",
  },
  "socket.maxQueuedMessages": {
    type: "integer",
    default: 256,
    unit: "messages",
    min: 1,
    max: 1_000_000,
    doc: "Messages of one client that may wait for an earlier one before its connection is closed.",
  },
  "cache.maxEvents": {
    type: "integer",
    default: 100_000,
    unit: "events",
    min: 1,
    max: 100_000_000,
    doc: "Last events of cache channels that are kept, all apps together; beyond that the oldest are forgotten.",
  },
  "watchlist.offlineDelayMs": {
    type: "integer",
    default: 0,
    unit: "milliseconds",
    min: 0,
    max: 3_600_000,
    doc: "How long a user without connections counts as online for those who watch them; looked at once a second.",
  },
  "occupancy.vacatedDelayMs": {
    type: "integer",
    default: 3_000,
    unit: "milliseconds",
    min: 0,
    max: 3_600_000,
    doc: "How long a channel must be empty, or a member away, without a break before that is announced.",
  },
  "occupancy.settleMs": {
    type: "integer",
    default: 10_000,
    unit: "milliseconds",
    min: 0,
    max: 3_600_000,
    doc: "How long after a start nothing is announced vacant or removed, so that clients can come back first.",
  },
  "occupancy.plannedSettleMs": {
    type: "integer",
    default: 20_000,
    unit: "milliseconds",
    min: 0,
    max: 3_600_000,
    doc: "The same after a planned stop, where it is longer: pusher-js needs 15 s to come back when it finds the port closed.",
  },
  "occupancy.commitGapMs": {
    type: "integer",
    default: 10,
    unit: "milliseconds",
    min: 0,
    max: 1_000,
    doc: "The pause between two durable writes of what is announced; what happens meanwhile is written together.",
  },
  "webhooks.targets": {
    type: "string",
    default: "any",
    choices: ["any", "public"],
    doc: "Where webhooks may go: any address but link-local and cloud metadata ones, or public addresses only.",
  },
  "webhooks.timeoutMs": {
    type: "integer",
    default: 10_000,
    unit: "milliseconds",
    min: 10,
    max: 600_000,
    doc: "How long a receiver of webhooks may take to answer.",
  },
  "webhooks.paceMs": {
    type: "integer",
    default: 50,
    unit: "milliseconds",
    min: 0,
    max: 10_000,
    doc: "Between two batches of webhooks about the same channels; the first goes out at once, and a full one does not wait.",
  },
  "webhooks.retryBaseMs": {
    type: "integer",
    default: 1_000,
    unit: "milliseconds",
    min: 1,
    max: 600_000,
    doc: "The first pause before a webhook is tried again; it doubles with each attempt.",
  },
  "webhooks.retryMaxMs": {
    type: "integer",
    default: 300_000,
    unit: "milliseconds",
    min: 1,
    max: 86_400_000,
    doc: "The longest pause between two attempts.",
  },
  "webhooks.poisonMs": {
    type: "integer",
    default: 300_000,
    unit: "milliseconds",
    min: 1,
    max: 86_400_000,
    doc: "How long a webhook that its receiver refuses may hold up those behind it before it becomes a dead letter.",
  },
  "webhooks.giveUpMs": {
    type: "integer",
    default: 86_400_000,
    unit: "milliseconds",
    min: 1,
    max: 2_592_000_000,
    doc: "How long a webhook is tried before it becomes a dead letter.",
  },
  "webhooks.maxWaiting": {
    type: "integer",
    default: 1_000_000,
    unit: "events",
    min: 100,
    max: 100_000_000,
    doc: "Events that may wait for one endpoint; beyond that, states collapse to the newest and other events become dead letters.",
  },
  "metrics.token": {
    type: "string",
    default: "",
    secret: true,
    problem: problemOfToken,
    doc: "Bearer token that /metrics on the main port asks for; empty switches it off there.",
  },
  "metrics.port": {
    type: "integer",
    default: 0,
    unit: "port",
    min: 0,
    max: 65_535,
    doc: "A port of its own for /metrics, without a token; 0 for none.",
  },
  "metrics.host": {
    type: "string",
    default: "127.0.0.1",
    doc: "The address that the metrics port listens on.",
  },
  "log.level": {
    type: "string",
    default: "info",
    choices: ["debug", "info", "warn", "error"],
    doc: "The least severe lines that are logged.",
  },
  "shutdown.graceSeconds": {
    type: "integer",
    default: 5,
    unit: "seconds",
    min: 0,
    max: 3_600,
    doc: "How long requests under way may take after a stop was asked for.",
  },
  dev: {
    type: "boolean",
    default: false,
    doc: "For a developer's own machine: listens on 127.0.0.1 and serves the first-light page.",
  },
} as const satisfies Record<string, SettingRow>;

export type SettingPath = keyof typeof SETTINGS;

type ValueOf<Row extends SettingRow> = Row extends { choices: readonly (infer Choice)[] }
  ? Choice
  : { string: string; integer: number; boolean: boolean; list: readonly string[] }[Row["type"]];

/** Every setting by its path. */
export type Settings = { readonly [Path in SettingPath]: ValueOf<(typeof SETTINGS)[Path]> };

export type SettingValue = string | number | boolean | readonly string[];

export const SETTING_PATHS = Object.keys(SETTINGS) as SettingPath[]; // the table's own keys

/** The row without what is particular about it. */
export function settingRow(path: SettingPath): SettingRow {
  return SETTINGS[path];
}

/** `http.maxBodyBytes` is `http-max-body-bytes`, without the dashes in front. */
export function flagOf(path: SettingPath): string {
  return (
    settingRow(path).flag ??
    path.replaceAll(".", "-").replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  );
}

/** `--http-max-body-bytes` is `EARSHOT_HTTP_MAX_BODY_BYTES`. */
export function variableOf(path: SettingPath): string {
  return `EARSHOT_${flagOf(path).replaceAll("-", "_").toUpperCase()}`;
}
