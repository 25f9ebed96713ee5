import { writeFileSync } from "node:fs";
import { type Loaded, loadSettings } from "#config/load";
import { Refused } from "#store/refused";
import { findTarget, TARGET_FORM } from "../target.ts";
import { tellProblems } from "../tell-problems.ts";
import type { Terminal } from "../terminal.ts";
import type { Result, Section } from "./check.ts";
import { Finding } from "./finding.ts";
import { jsonReport, linesOf, totalsLine, totalsOf } from "./report.ts";
import { runChecks } from "./run.ts";
import { chooseSections, SECTIONS } from "./sections.ts";
import { openSocket } from "./socket.ts";
import { ANSWER_MS, type Target } from "./target.ts";

const FAILED = 1;
const NOT_RUN = 2;

const FLAGS = {
  ...TARGET_FORM.flags,
  only: "text",
  json: "text",
  prefix: "text",
  "other-node": "text",
  "stop-pid": "text",
  slow: "boolean",
  insecure: "boolean",
} as const;

type Given = Extract<Loaded<typeof FLAGS>, { ok: true }>;

/**
 * `earshot conformance`: the checklist against any server that speaks Pusher. The exit code is 1 where a check failed, 2
 * where none could be run.
 */
export async function conformance(args: readonly string[], terminal: Terminal): Promise<number> {
  const loaded = loadSettings({ args, env: terminal.env }, { settings: TARGET_FORM.settings, own: FLAGS });
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
  let target: Target;
  try {
    target = await targetOf(loaded);
    (await openSocket(target)).destroy();
  } catch (problem) {
    if (!(problem instanceof Refused || problem instanceof Finding)) throw problem;
    terminal.err(
      problem instanceof Finding
        ? `No server answers (${problem.message}): name the address of a running one with --url.`
        : problem.message,
    );
    return NOT_RUN;
  }
  return await report(sections, target, loaded.own.json, terminal);
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

async function targetOf({ settings, own }: Given): Promise<Target> {
  const { url, appId, pair, isFromFolder } = await findTarget(settings, own);
  const { prefix, "other-node": otherNode, "stop-pid": stopPid, slow } = own;
  if (prefix !== undefined && !/^\/.*[^/]$/.test(prefix))
    throw new Refused(`--prefix ${JSON.stringify(prefix)} is no path: write one such as /realtime.`);
  const pid = stopPid === undefined ? undefined : Number(stopPid);
  if (pid !== undefined && !(Number.isInteger(pid) && pid > 1))
    throw new Refused(`--stop-pid ${JSON.stringify(stopPid)} is no process id.`);
  const other = otherNode === undefined ? undefined : URL.parse(otherNode);
  if (other === null || (other !== undefined && !/^https?:$/.test(other.protocol)))
    throw new Refused(
      `--other-node ${JSON.stringify(otherNode)} is not the address of a server: write one such as http://127.0.0.1:6002.`,
    );
  return {
    url: new URL(url),
    app: { id: appId, key: pair.key, secret: pair.secret },
    answerMs: ANSWER_MS,
    isSlow: slow === true,
    isInsecure: own.insecure === true || isFromFolder,
    ...(prefix === undefined ? {} : { prefix }),
    ...(other === undefined ? {} : { otherNode: other }),
    ...(pid === undefined ? {} : { pid }),
  };
}
