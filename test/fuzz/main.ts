/**
 * npm run fuzz -- --seconds 60             plays new episodes against every target for so long
 *     --seed 7                             begins with this seed instead of one that chance gives
 *     --target core|late|server            plays against one target
 *     --episodes 3                         plays so many episodes a target instead of for a time
 *     --replay FILE                        plays a file of test/fuzz/corpus/, or one like it
 *
 * The exit code is 1 if anything was found.
 */
import { parseArgs } from "node:util";
import { print, type Report, replay, run, TARGETS } from "./run.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    target: { type: "string" },
    episodes: { type: "string" },
    replay: { type: "string" },
  },
});

process.exit(values.replay === undefined ? await fuzz() : await replayFile(values.replay));

async function fuzz(): Promise<number> {
  const targets = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
  if (targets.length === 0)
    return complain(`there is no target ${values.target}: ${TARGETS.map(({ name }) => name).join(", ")}`);
  const firstSeed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : wholeNumber(values.seed);
  const seconds = wholeNumber(values.seconds);
  const episodes = values.episodes === undefined ? undefined : wholeNumber(values.episodes);
  if (Number.isNaN(firstSeed + seconds + (episodes ?? 0)))
    return complain("--seed, --seconds and --episodes are whole numbers");
  console.log(`seed ${firstSeed}`);
  const reports: Report[] = [];
  for (const target of targets) {
    const endMs = performance.now() + (seconds * 1_000) / targets.length;
    let played = 0;
    const isEnough = () => (episodes === undefined ? performance.now() >= endMs : played >= episodes);
    let inputs = 0;
    while (!isEnough() && reports.length === 0) {
      const result = await run(target, firstSeed + played, (done) => done > 0);
      played++;
      inputs += result.inputs;
      reports.push(...result.reports);
    }
    await target.stop?.();
    console.log(`${target.name}: ${inputs} inputs in ${played} episodes`);
  }
  for (const report of reports) console.log(`\n${print(report)}`);
  console.log(`${reports.length} findings`);
  return reports.length === 0 ? 0 : 1;
}

async function replayFile(path: string): Promise<number> {
  const finding = await replay(path);
  for (const target of TARGETS) await target.stop?.();
  console.log(
    finding === undefined ? "nothing was found" : `found at step ${finding.step + 1}: ${finding.problem}`,
  );
  return finding === undefined ? 0 : 1;
}

function wholeNumber(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}

function complain(problem: string): number {
  console.error(problem);
  return 1;
}
