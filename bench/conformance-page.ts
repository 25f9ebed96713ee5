/** The page that shows what came of the conformance kit, server beside server. */
import type { Result, Section } from "../packages/server/src/cli/conformance/check.ts";
import { totalsLine, totalsOf } from "../packages/server/src/cli/conformance/report.ts";

export interface Column {
  readonly name: string;
  readonly version: string;
  readonly results: readonly Result[];
}

export function conformancePage(sections: readonly Section[], columns: readonly Column[]): string {
  const head = ["", "what", ...columns.map(({ name }) => name)];
  const tables = sections.map(({ letter, title, checks }) => {
    const rows = checks.map(({ number, what }) => {
      const cells = columns.map(({ results }) => outcomeOf(results, number));
      return `| ${[String(number), cell(what), ...cells].join(" | ")} |`;
    });
    return [
      `### ${letter}. ${title}`,
      "",
      `| ${head.join(" | ")} |`,
      `|${head.map(() => "---").join("|")}|`,
      ...rows,
    ].join("\n");
  });
  return `<!-- Made by \`npm run conformance\`, which really runs it: change nothing here. -->

# Conformance

The client checklist, line by line, against Earshot and another server that speaks Pusher Channels. Each line is one
behaviour that an official client, back-end library or Laravel Echo relies on. The kit sees nothing but the wire;
\`earshot conformance\` runs it against any server: see [the guide](../guides/conformance.md). Each server had everything
switched on that its documentation offers for a check.

| server | version | |
|---|---|---|
${columns.map(({ name, version, results }) => `| ${name} | ${cell(version)} | ${totalsLine(totalsOf(results))} |`).join("\n")}

## Results

${tables.join("\n\n")}

${columns.map((column) => notes(column)).join("\n\n")}
`;
}

function outcomeOf(results: readonly Result[], number: number): string {
  const outcome = results.find((result) => result.number === number)?.outcome;
  return outcome === "fail" ? "**fail**" : (outcome ?? "");
}

function notes({ name, results }: Column): string {
  const lines = (outcome: Result["outcome"]) =>
    results
      .filter((result) => result.outcome === outcome)
      .map(({ number, seen }) => `- ${number}: ${cell(steady(seen))}`);
  const failures = lines("fail");
  const skips = lines("skip");
  return [
    ...(failures.length === 0 ? [] : [`## What was seen at ${name}`, "", ...failures, ""]),
    ...(skips.length === 0 ? [] : [`## What was skipped at ${name}, and why`, "", ...skips]),
  ]
    .join("\n")
    .trim();
}

/** Without what is different each time, so that two runs of the same servers make the same page. */
function steady(text: string): string {
  return text
    .replaceAll(/check-[0-9a-f]{8}-\d+/g, "NAME")
    .replaceAll(/\b[0-9a-f]{64}\b/g, "SIGNATURE")
    .replaceAll(/(\bsocket_id\\*":\\*")[\d.]+/g, "$1SOCKET_ID")
    .replaceAll(/\b\d+\.\d+:/g, "SOCKET_ID:")
    .replaceAll(/127\.0\.0\.1:\d+/g, "HOST:PORT");
}

function cell(text: string): string {
  return text.replaceAll(/[\\*<>_`[\]]/g, "\\$&").replaceAll("|", "\\|");
}
