/**
 * npm run shadow                       plays a seed that chance gives
 *     --seed 7                         plays this one
 *     --seeds 200                      plays so many, one after the other, from that one on
 *     --steps 2000                     of so many steps each
 *
 * The exit code is 1 if anything was found.
 */
import { parseArgs } from "node:util";
import { playSeed } from "./episode.ts";
import { RedisSets } from "./redis-set.ts";
import { STEPS } from "./world.ts";

const { values } = parseArgs({
  options: { seed: { type: "string" }, seeds: { type: "string" }, steps: { type: "string" } },
});

process.exit(await play());

async function play(): Promise<number> {
  const seed = wholeNumber(values.seed, Math.floor(Math.random() * 2 ** 31));
  const seeds = wholeNumber(values.seeds, 1);
  const steps = wholeNumber(values.steps, STEPS);
  if (Number.isNaN(seed + seeds + steps)) {
    console.error("--seed, --seeds and --steps are whole numbers");
    return 1;
  }
  const redis = await RedisSets.start();
  if (redis === undefined) console.log("Redis is not installed: nobody keeps a set in it.");
  let found = 0;
  for (let each = seed; each < seed + seeds; each++) found += await playOne(each, steps, redis);
  await redis?.stop();
  if (seeds > 1) console.log(`${seeds - found} of ${seeds} seeds are green`);
  return found === 0 ? 0 : 1;
}

/** Returns how many findings there were. */
async function playOne(seed: number, steps: number, redis: RedisSets | undefined): Promise<number> {
  try {
    const { events, requests, repeats, givenUp, restarts, tookMs } = await playSeed(
      seed,
      steps,
      redis?.next(),
    );
    const told = `${events} events, ${requests} requests with ${repeats} repeats, ${givenUp} given up, ${restarts} restarts`;
    console.log(`seed ${seed}: ${steps} steps, ${told}, ${(tookMs / 1_000).toFixed(1)} s`);
    return 0;
  } catch (problem) {
    console.log(`\n${problem instanceof Error ? problem.message : String(problem)}\n`);
    return 1;
  }
}

function wholeNumber(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}
