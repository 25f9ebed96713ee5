/** Runs the checks one after another, and lives through whatever the server does meanwhile. */
import type { Check, Result, Section } from "./check.ts";
import { Client } from "./client.ts";
import { Finding, NotShown, shortened } from "./finding.ts";
import { recordOf } from "./frame.ts";
import { Stage } from "./stage.ts";
import type { Target } from "./target.ts";

const LIMIT_MS = 20_000; // ours: several answers that are nearly too late
const PROBE_MS = 1_500; // ours

type Verdict = Pick<Result, "outcome" | "seen">;

export interface RunOptions {
  /** Is called with each result as soon as it is there. */
  readonly tell: (result: Result) => void;
  /** Starts a server again that no longer answers, where somebody can. Returns where it is now. */
  readonly revive?: () => Promise<Target>;
}

export async function runChecks(
  sections: readonly Section[],
  firstTarget: Target,
  { tell, revive }: RunOptions,
): Promise<Result[]> {
  let target = firstTarget;
  const results: Result[] = [];
  const all = sections.flatMap((section) => section.checks.map((check) => ({ section, check })));
  const endsServer = ({ check }: (typeof all)[number]) => check.isLast === true && target.pid !== undefined;
  const inOrder = [...all.filter((each) => !endsServer(each)), ...all.filter(endsServer)];
  /** The check after which the server was found silent. */
  let goneSince: number | undefined;
  for (const { section, check } of inOrder) {
    if (goneSince !== undefined && (await answers(target))) goneSince = undefined;
    const verdict: Verdict =
      goneSince === undefined
        ? await runCheck(check, target)
        : { outcome: "fail", seen: `not tried: the server has not answered since check ${goneSince}` };
    let { seen } = verdict;
    if (goneSince === undefined && verdict.outcome === "fail" && !(await answers(target))) {
      seen += "; the server no longer answers";
      if (revive === undefined) goneSince = check.number;
      else {
        seen += ", it had to be started again";
        target = await revive();
      }
    }
    const { number, what } = check;
    const result = { number, section: section.letter, what, outcome: verdict.outcome, seen };
    results.push(result);
    tell(result);
  }
  return results.sort((a, b) => a.number - b.number);
}

/** Whether clients can still connect, or are at least refused for good reason. */
async function answers(target: Target): Promise<boolean> {
  let client: Client | undefined;
  try {
    client = await Client.open({ ...target, answerMs: Math.min(target.answerMs, PROBE_MS) });
    const first = await client.next(() => true, "a first frame");
    if (first.event === "pusher:connection_established") return true;
    const code = first.event === "pusher:error" ? recordOf(first.data)?.["code"] : undefined;
    return typeof code === "number" && code >= 4_000 && code < 4_100;
  } catch (problem) {
    // A server that refuses the upgrade as such is there all the same.
    return problem instanceof Finding && problem.message.startsWith("the upgrade was answered with");
  } finally {
    client?.destroy();
  }
}

async function runCheck(check: Check, target: Target): Promise<Verdict> {
  const stage = new Stage(target);
  const limitMs = check.limitMs ?? LIMIT_MS;
  const { promise: late, resolve } = Promise.withResolvers<Verdict>();
  const timer = setTimeout(() => {
    resolve({ outcome: "fail", seen: `the check was not over within ${limitMs / 1_000} s` });
  }, limitMs);
  try {
    return await Promise.race([verdictOf(check, stage), late]);
  } finally {
    clearTimeout(timer);
    stage.end();
  }
}

async function verdictOf(check: Check, stage: Stage): Promise<Verdict> {
  try {
    await check.run(stage);
    return { outcome: "pass", seen: "" };
  } catch (problem) {
    if (problem instanceof NotShown) return { outcome: "skip", seen: problem.message };
    if (problem instanceof Finding) return { outcome: "fail", seen: problem.message };
    // A mistake of a check, most likely over something that no server was expected to say.
    const why = problem instanceof Error ? problem.message : String(problem);
    return { outcome: "fail", seen: shortened(`something unexpected: ${why}`) };
  }
}
