/** What `earshot help` says. Flags and limits come from their tables. */

import { LIMIT_NAMES, LIMITS } from "@earshot/protocol/limits";
import { WEBHOOK_NAMES } from "@earshot/protocol/webhook";
import { flagOf, SETTING_PATHS, type SettingPath, settingRow, variableOf } from "#config/fields";
import { limitFlag } from "./app-change.ts";

const DATABASE_FLAGS = flagLines(["data.dir", "database.url"]);

const TARGET = `Which server and which app:
  --url URL             such as http://127.0.0.1:6001
  --app ID:KEY:SECRET   the app
  --data DIR            or the data folder of a server on this machine (default ./data), and its first app
  --database URL        where that server keeps its apps, if not in its folder`;

export const USAGES: Readonly<Record<string, string>> = {
  serve: `earshot serve [FLAGS]

Runs the server until it gets SIGTERM or SIGINT. Each flag is also a variable of the environment and a name in the
settings file; "earshot config print" shows what is in effect.

${flagLines(SETTING_PATHS)}
  --config FILE
      A settings file; ./earshot.toml is read where it is there. (EARSHOT_CONFIG)`,

  apps: `earshot apps list [--json]
earshot apps create [CHANGES] [--json]            prints the new id, key and secret
earshot apps show ID [--secrets] [--json]
earshot apps update ID CHANGES [--json]
earshot apps rotate-key ID [--json]               adds a key and prints it; older keys stay active
earshot apps revoke-key ID KEY [--force] [--json]
earshot apps delete ID [--json]

Works beside a running server, which takes up a change within about a second.

${DATABASE_FLAGS}

CHANGES:
  --name TEXT
  --enabled true|false
  --tls-only true|false
  --client-events true|false
  --subscription-count true|false
  --watchlist true|false      signed-in users hear of the users that they watch
  --allowed-origin ORIGIN     may be repeated; replaces all origins; "" allows every origin
  --quota PREFIX*=NUMBER      subscriptions that each channel of such a name may have, such as private-user-*=10; may be
                              repeated; replaces all quotas; --no-quotas takes them away
${LIMIT_NAMES.map(limitLine).join("\n")}`,

  webhooks: `earshot webhooks list [--endpoint ID] [--secrets] [--json]
earshot webhooks add --url URL [CHANGES] [--json]         prints the new endpoint with its id
earshot webhooks update --endpoint ID CHANGES [--json]
earshot webhooks remove --endpoint ID [--json]
earshot webhooks test --endpoint ID [--json]              sends one signed request without events, now
earshot webhooks deliveries [FILTER] [--json]             what was sent, newest first
earshot webhooks deliveries --show DELIVERY [--json]      its requests and responses in full
earshot webhooks redeliver --delivery DELIVERY [--json]   sends its events again
earshot webhooks redeliver --endpoint ID --since TIME [--json]
earshot webhooks redeliver --endpoint ID [--since TIME] --dead-only [--json]

Works beside a running server, which takes up a change within about a second. In place of an ID the URL of an endpoint
will do where no other endpoint has the same.

  --app ID              the app; may be left out where there is only one
  --secrets             also shows the values of headers, which else are shown as "set"
${DATABASE_FLAGS}

CHANGES:
  --url URL             http or https, without credentials
  --events LIST         of ${WEBHOOK_NAMES.slice(0, 4).join(", ")},
                        ${WEBHOOK_NAMES.slice(4).join(", ")}; default: the first four
  --prefix TEXT         only channels whose name starts so; "" for all
  --suffix TEXT         only channels whose name ends so; "" for all
  --batch true|false    several events in one request; default true
  --header "NAME: VALUE"
                        sent with each request; may be repeated; replaces all headers; "" takes them away
  --enabled true|false  a disabled endpoint is paused: its events wait

A test comes from this command, not from the server. It carries the header X-Earshot-Test and ends with exit code 0 only
where the answer is 2xx. Two settings count for it; those that the server got as flags it must get as well:
${flagLines(["webhooks.targets", "webhooks.timeoutMs"])}

FILTER, where deliveries are kept in the data folder of the server:
  --endpoint ID         of this endpoint only
  --failed              attempts that did not succeed
  --dead                events that are no longer tried
  --since TIME          such as 10m, 2h or 1d for how long ago, or 2026-01-31T09:30:00Z
  --limit NUMBER        so many; default 20

To send again, a running server is asked, or the next one that starts on the data folder. Events that a newer state of
their channel or member has replaced are skipped, and listed.`,

  trigger: `earshot trigger CHANNEL EVENT DATA [--socket-id ID] [--print-curl]

Publishes one event. DATA is sent as it stands, most clients expect JSON.

  --socket-id ID        the connection that does not get it
  --print-curl          prints a curl command that does the same within the next ten minutes

${TARGET}`,

  tail: `earshot tail [CHANNEL...] [--json]

Prints each event that is published, on all channels or on those named, until it is stopped. Looking does not subscribe:
no channel becomes occupied by it.

  --json                one JSON object a line

${TARGET}`,

  backup: `earshot backup --to FOLDER [--data DIR]

Copies what a server keeps in its data folder, as it is at one moment, also while the server runs. A server that is started
on the copy waits until clients had time to come back, then tells what has changed. Apps that are kept in PostgreSQL are
backed up there.

  --to FOLDER           new or empty; only this user may read it, because it holds secrets
${flagLines(["data.dir"])}`,

  config: `earshot config print [--json] [FLAGS]     the settings in effect, each with where it comes from
earshot config check [FLAGS]              says what is wrong with them, exit code 1 where anything is

FLAGS are those of "earshot serve". Secrets are shown as "set".`,

  conformance: `earshot conformance --url URL --app ID:KEY:SECRET [--only A,J] [--json FILE]

Checks a running server, of any make that speaks Pusher Channels, against the 121 lines of the client checklist. It uses
channels and users with names of its own, which nobody else has. Exit code 0 where no check failed, 1 where one did, 2
where none could be run. docs/guides/conformance.md tells more.

  --only LIST           sections (A to M) and numbers of lines, such as A,J,33
  --json FILE           writes all results to a file as well
  --prefix PATH         a path that the server is mounted under as well, such as /realtime
  --other-node URL      another node of the same cluster
  --webhook-listen HOST:PORT
                        where the server sends the app's webhooks; without it and --url the kit adds an endpoint to the
                        app of the data folder, and a second app, and takes both away at the end
  --webhook-delay-ms N  how long the server waits before it announces channel_vacated; default 3000
  --second-app ID:KEY:SECRET
                        another app whose webhooks go to the same address
  --slow                also waits for the server's time-outs, about three minutes
  --stop-pid PID        at the very end sends SIGTERM to the server's process, to see how it takes leave
  --insecure            takes any certificate

${TARGET}`,

  help: `earshot help [COMMAND]`,
  version: `earshot version`,
};

export const OVERVIEW = `Earshot is a realtime server that speaks Pusher Channels.

  earshot serve                        runs the server
  earshot apps list|create|show|update|rotate-key|revoke-key|delete
  earshot webhooks list|add|update|remove|test|deliveries|redeliver
  earshot trigger CHANNEL EVENT DATA   publishes one event
  earshot tail [CHANNEL...]            prints events as they are published
  earshot backup --to FOLDER           copies the data folder, also while the server runs
  earshot config print|check           shows or checks the settings
  earshot conformance                  checks a server, of any make, against the client checklist
  earshot help COMMAND                 tells more about one of them
  earshot version`;

function flagLines(paths: readonly SettingPath[]): string {
  return paths.map(flagLine).join("\n");
}

function flagLine(path: SettingPath): string {
  const row = settingRow(path);
  const value = row.type === "boolean" ? "" : row.type === "list" ? " VALUE..." : " VALUE";
  const empty = row.default === "" || (typeof row.default === "object" && row.default.length === 0);
  const unit = row.type === "integer" && row.unit !== "port" ? ` ${row.unit}` : "";
  const standard = row.type === "boolean" || empty ? "" : `, default ${row.default}${unit}`;
  return `  --${flagOf(path)}${value}\n      ${row.doc} (${variableOf(path)}${standard})`;
}

function limitLine(name: (typeof LIMIT_NAMES)[number]): string {
  const { doc, default: standard, unit } = LIMITS[name];
  return `  --${limitFlag(name)} NUMBER|default\n      ${doc} (default ${standard} ${unit})`;
}
