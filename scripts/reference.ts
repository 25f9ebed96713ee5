/** Writes the documentation pages that say what tables of the code say. A test finds a page that has fallen behind. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ERRORS, type ErrorRow } from "@earshot/protocol/errors";
import { LIMIT_NAMES, LIMITS } from "@earshot/protocol/limits";
import { limitFlag } from "../packages/server/src/cli/app-change.ts";
import { OVERVIEW, USAGES } from "../packages/server/src/cli/usage.ts";
import {
  flagOf,
  SETTING_PATHS,
  type SettingPath,
  type SettingRow,
  settingRow,
  variableOf,
} from "../packages/server/src/config/fields.ts";

const ROOT = dirname(import.meta.dir);

/** The text of each page by its path in the repository. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/reference/settings.md", settingsPage()],
    ["docs/reference/cli.md", cliPage()],
    ["docs/protocol/errors.md", errorsPage()],
    ["docs/protocol/limits.md", limitsPage()],
  ]);
}

const MADE_FROM = (source: string) =>
  `<!-- Made from ${source} by \`npm run reference\`: change it there. -->`;

function settingsPage(): string {
  return `${MADE_FROM("packages/server/src/config/fields.ts")}

# Settings

Every setting can be given as a flag of \`earshot serve\`, as a variable of the environment and in a settings file.
Where it is given more than once, the flag wins, then the variable, then the file.

The file is TOML: \`./earshot.toml\` where it is there, or the one that \`--config FILE\` or \`EARSHOT_CONFIG\` names. The
part of a setting's name before the dot is a table of the file:

\`\`\`toml
[http]
port = 6001
trustedProxies = ["10.0.0.0/8"]

[log]
level = "warn"
\`\`\`

A list is given by repeating its flag; in a variable its items stand one behind the other with a space between. A name
that is no setting is an error which suggests the nearest one. \`earshot config check\` tells what is wrong before a
start, \`earshot config print\` shows each value with where it comes from. Secrets are shown as "set".

${SETTING_PATHS.map(setting).join("\n\n")}
`;
}

function setting(path: SettingPath): string {
  const row = settingRow(path);
  const facts = [
    `Flag \`--${flagOf(path)}\``,
    `variable \`${variableOf(path)}\``,
    kindOf(row),
    `default ${defaultOf(row)}`,
    ...(row.secret ? ["a secret"] : []),
  ];
  return `## \`${path}\`\n\n${row.doc}\n\n${facts.join("; ")}.`;
}

function kindOf(row: SettingRow): string {
  switch (row.type) {
    case "integer":
      return row.unit === "port"
        ? `a port from ${row.min} to ${row.max}`
        : `${row.unit} from ${number(row.min)} to ${number(row.max)}`;
    case "boolean":
      return "true or false";
    case "list":
      return "a list";
    case "string":
      return row.choices === undefined ? "a text" : row.choices.map((choice) => `\`${choice}\``).join(", ");
  }
}

function defaultOf(row: SettingRow): string {
  const text = row.type === "integer" && row.unit !== "port" ? number(row.default) : String(row.default);
  const standard = text === "" ? "empty" : `\`${text}\``;
  return row.type === "string" && row.devDefault !== undefined
    ? `${standard} (with \`--dev\`: \`${row.devDefault}\`)`
    : standard;
}

function cliPage(): string {
  const commands = Object.entries(USAGES).map(([name, usage]) => `## \`earshot ${name}\`\n\n${block(usage)}`);
  return `${MADE_FROM("packages/server/src/cli/usage.ts")}

# The program \`earshot\`

In the folder of the project it is called as \`npx earshot\`. \`earshot help COMMAND\` says the same as this page. A command
that fails says why in one line, and ends with exit code 1.

${block(OVERVIEW)}

${commands.join("\n\n")}
`;
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS) as readonly (readonly [string, ErrorRow])[];
  const isApi = (name: string) => /^api[A-Z]/.test(name);
  const isFatal = ({ code }: ErrorRow) => code !== null && code < 4300;
  return `${MADE_FROM("packages/protocol/src/errors.ts")}

# Errors

Everything that Earshot refuses, by the name that metrics and logs call it (\`reason\`). \`{word}\` stands for a value of
the case. Texts marked *service* are those of the hosted service, word for word, because clients and people search for
them; *documented* means that the official documentation has the code or the case and the words are ours.

## Errors that end the connection

Sent as a \`pusher:error\` frame, then the connection is closed with the same code. Official clients stop for good at 4000 to
4099, come back after a second or more at 4100 to 4199, and at once at 4200 to 4299. \`reason\` is not in these frames:
pusher-js would take it for the reason of the close frame.

${table(
  ["reason", "code", "text", "what to do", "source"],
  rows
    .filter(([name, row]) => !isApi(name) && isFatal(row))
    .map(([name, row]) => [code(name), String(row.code), row.text, row.remedy, row.source]),
)}

## Errors that leave the connection open

Sent as a \`pusher:error\` frame whose \`data\` is an object:

\`\`\`json
{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel news","reason":"subscriptionExists","remedy":"One subscribe a channel is enough; the first one stays."}}
\`\`\`

\`code\` and \`message\` are the protocol's; \`reason\`, \`remedy\` and, where something was measured, \`limit\` and \`actual\` are
ours. A subscription that is refused also gets \`pusher_internal:subscription_error\` and \`pusher:subscription_error\` with
the \`type\` and \`status\` below: see [channels](channels.md#a-refused-subscription).

${table(
  ["reason", "code", "type", "status", "text", "what to do", "source"],
  rows
    .filter(([name, row]) => !isApi(name) && !isFatal(row))
    .map(([name, row]) => [
      code(name),
      String(row.code),
      row.type,
      String(row.status),
      row.text,
      row.remedy,
      row.source,
    ]),
)}

## Errors of the HTTP API

Plain text: the first line is the text, the second says \`reason\`, \`limit\` and \`actual\` where something was measured, and
\`remedy\`.

${table(
  ["reason", "status", "text", "what to do", "source"],
  rows
    .filter(([name]) => isApi(name) || name === "appDisabled" || isSharedWithApi(name))
    .map(([name, row]) => [code(name), String(row.status), row.text, row.remedy, row.source]),
)}
`;
}

/** What is wrong with a channel's or an event's name is the same for a client and for a back-end. */
function isSharedWithApi(name: string): boolean {
  return ["channelNameInvalid", "channelNameTooLong", "eventNameTooLong"].includes(name);
}

function limitsPage(): string {
  const rows = LIMIT_NAMES.map((name) => {
    const { doc, unit, default: standard, min, max, source } = LIMITS[name];
    return [
      code(name),
      doc,
      unit,
      number(standard),
      `${number(min)} to ${number(max)}`,
      code(`--${limitFlag(name)}`),
      source,
    ];
  });
  return `${MADE_FROM("packages/protocol/src/limits.ts")}

# Limits

Each app has its own value for each limit. A change takes effect without a restart:

\`\`\`sh
npx earshot apps update ID --max-presence-members 500
npx earshot apps update ID --max-presence-members default
\`\`\`

A refusal names the limit and what came in its place: see [errors](errors.md). Limits of the whole server, such as the
longest request body, are [settings](../reference/settings.md).

${table(["limit", "what it bounds", "unit", "default", "allowed", "flag", "where the number comes from"], rows)}
`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** A text that Markdown shows as it stands; code stays code. */
function cell(text: string): string {
  if (/^`[^`]*`$/.test(text)) return text.replaceAll("|", "\\|");
  const parts = text.split("`");
  return parts
    .map((part, index) => (index % 2 === 1 ? `\`${part}\`` : part.replaceAll(/[\\*<]/g, "\\$&")))
    .join("")
    .replaceAll("|", "\\|");
}

function code(text: string): string {
  return `\`${text}\``;
}

function block(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\``;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

if (import.meta.main) {
  for (const [path, text] of referencePages()) {
    mkdirSync(join(ROOT, dirname(path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
    console.log(path);
  }
}
