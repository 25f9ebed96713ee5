import { writeFileSync } from "node:fs";
import { loadSettings } from "#config/load";
import { Refused } from "#store/refused";
import { DatabaseProblem } from "#store/sql";
import { TARGET_FORM } from "../target.ts";
import { tellProblems } from "../tell-problems.ts";
import type { Terminal } from "../terminal.ts";
import type { Result, Section } from "./check.ts";
import { Finding } from "./finding.ts";
import { CONFORMANCE_FLAGS, targetOf } from "./given-target.ts";
import { jsonReport, linesOf, totalsLine, totalsOf } from "./report.ts";
import { runChecks } from "./run.ts";
import { chooseSections, SECTIONS } from "./sections.ts";
import { openSocket } from "./socket.ts";
import type { Target } from "./target.ts";
import { setUpWebhooks, type WebhookSetup } from "./webhook-setup.ts";

const FAILED = 1;
const NOT_RUN = 2;
const INTERRUPTED = 130; // 128 and the number of SIGINT, as shells have it
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * `earshot conformance`: the checklist against any server that speaks Pusher. The exit code is 1 where a check failed, 2
 * where none could be run.
 */
export async function conformance(args: readonly string[], terminal: Terminal): Promise<number> {
  const form = { settings: TARGET_FORM.settings, own: CONFORMANCE_FLAGS };
  const loaded = loadSettings({ args, env: terminal.env }, form);
  if (!loaded.ok) {
    tellProblems(loaded.problems, terminal);
    return NOT_RUN;
  }
  const sections = loaded.own.only === undefined ? SECTIONS : chooseSections(loaded.own.only.split(","));
  if ("unknown" in sections) {
    terminal.err(
      `--only ${JSON.stringify(sections.unknown)} is no part of the checklist: name sections (A to M) and numbers (1 to 121), such as --only A,J,33.`,
    );
    return NOT_RUN;
  }
  let webhooks: Promise<WebhookSetup> | undefined;
  const interrupt = () => {
    void endOf(webhooks, terminal).finally(() => process.exit(INTERRUPTED));
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    const target = await targetOf(loaded);
    (await openSocket(target)).destroy();
    if (sections.some(({ letter }) => letter === "K")) webhooks = setUpWebhooks(loaded, target);
    const part = (await webhooks)?.part;
    return await report(sections, { ...target, ...part }, loaded.own.json, terminal);
  } catch (problem) {
    if (!(problem instanceof Refused || problem instanceof Finding)) throw problem;
    terminal.err(
      problem instanceof Finding
        ? `No server answers (${problem.message}): name the address of a running one with --url.`
        : problem.message,
    );
    return NOT_RUN;
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
    await endOf(webhooks, terminal);
  }
}

async function endOf(webhooks: Promise<WebhookSetup> | undefined, terminal: Terminal): Promise<void> {
  const setup = await webhooks?.catch(() => undefined); // whoever started it hears of it
  try {
    await setup?.end();
  } catch (problem) {
    if (!(problem instanceof DatabaseProblem)) throw problem;
    terminal.err(
      `The webhook endpoints of this run, and its second app, are still there (${problem.message}): take them away with "earshot webhooks remove" and "earshot apps delete".`,
    );
  }
}

async function report(
  sections: readonly Section[],
  target: Target,
  jsonFile: string | undefined,
  terminal: Terminal,
): Promise<number> {
  const startedAt = new Date().toISOString();
  let before: Result | undefined;
  const tell = (result: Result) => {
    for (const line of linesOf(result, before, sections, terminal.hasColours === true)) terminal.out(line);
    before = result;
  };
  const results = await runChecks(sections, target, { tell });
  const totals = totalsOf(results);
  terminal.out("");
  terminal.out(totalsLine(totals));
  if (jsonFile !== undefined && !written(jsonFile, jsonReport(target.url.href, startedAt, results), terminal))
    return NOT_RUN;
  return totals.failed > 0 ? FAILED : 0;
}

function written(file: string, text: string, terminal: Terminal): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch (problem) {
    const why = problem instanceof Error ? problem.message : String(problem);
    terminal.err(`--json ${file} cannot be written (${why}).`);
    return false;
  }
}
