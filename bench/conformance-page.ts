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
switched on that its documentation offers for a check. soketi's WebSocket and HTTP engine is a published build in the
place of the git address that it names (\`bench/peers/soketi\`), so a status of 200 around an error may be the engine's.

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
  const failures = linesOf(results.filter(({ outcome }) => outcome === "fail"));
  const skips = linesOf(results.filter(({ outcome }) => outcome === "skip"));
  return [
    ...(failures.length === 0 ? [] : [`## What was seen at ${name}`, "", ...failures, ""]),
    ...(skips.length === 0 ? [] : [`## What was skipped at ${name}, and why`, "", ...skips]),
  ]
    .join("\n")
    .trim();
}

/** One line for each thing that was seen, with the numbers of all that it was seen at. */
function linesOf(results: readonly Result[]): string[] {
  const numbers = new Map<string, number[]>();
  for (const { number, seen } of results) {
    const text = cell(steady(seen));
    const others = numbers.get(text);
    if (others === undefined) numbers.set(text, [number]);
    else others.push(number);
  }
  return [...numbers].map(([seen, at]) => `- ${at.join(", ")}: ${seen}`);
}

/** Without what is different each time, so that two runs of the same servers make the same page. */
function steady(text: string): string {
  return text
    .replaceAll(/check-[0-9a-f]{8}-\d+/g, "NAME")
    .replaceAll(/\b[0-9a-f]{64}\b/g, "SIGNATURE")
    .replaceAll(/(\bsocket_id\\*":\\*")[\d.]+/g, "$1SOCKET_ID")
    .replaceAll(/(\btime_ms\\*":)\d+/g, "$1TIME")
    .replaceAll(/127\.0\.0\.1:\d+/g, "HOST:PORT")
    .replaceAll(/\b\d{3,}\.\d{3,}:/g, "SOCKET_ID:");
}

function cell(text: string): string {
  return text.replaceAll(/[\\*<>_`[\]]/g, "\\$&").replaceAll("|", "\\|");
}
