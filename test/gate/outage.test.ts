/** The endpoint of webhooks is dead for 15 s, with every time of the gates as it is in earnest. */
import { afterEach, expect, test } from "bun:test";
import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { Trace } from "../shadow/trace.ts";
import { disconnectPushers, heard, makePusher, once } from "../support/pusher-client.ts";
import { redisProgram, useRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { Audience } from "./audience.ts";
import { Crew, planWorkers } from "./crew.ts";
import type { Visit } from "./schedule.ts";
import { Stage } from "./stage.ts";
import { CHANNELS } from "./world.ts";

const DEAD_MS = 15_000;
const LAG_WINDOW_MS = 5_000;
/** Everything is sent after four fifths of the window without proof, as the gate's next look finds out. */
const OPEN_MS = LAG_WINDOW_MS * 0.9;
const BUSY_MS = 1_500; // ours: what a machine with other work adds to each time that is promised
const SEED = Number(process.env["EARSHOT_GATE_SEED"] ?? 1);

const redis = useRedis();
const undo: (() => unknown)[] = [];

afterEach(async () => {
  disconnectPushers();
  for (const step of undo.splice(0).reverse()) await step();
});

test.skipIf(redisProgram === undefined)(
  "while the endpoint is dead for 15 s nothing is missed or out of order",
  async () => {
    const stage = await Stage.start(redis.server, ["--webhooks-retry-max-ms", "1000"]);
    undo.push(() => stage.stop());
    const gate = await stage.receivingGate();
    const crew = new Crew(
      planWorkers(stage.earshot, { feed: stage.feed, seed: SEED, lagWindowMs: LAG_WINDOW_MS }),
    );
    undo.push(() => crew.end());
    await crew.working();
    const audience = new Audience(stage.earshot, new Trace());

    await stage.carrier.goDown();
    const deadMs = performance.now();
    audience.attend(visitsOf(SEED));
    const job = makePusher(stage.earshot).subscribe("job-7");
    const complete = heard(job, "complete");
    await once(job, "pusher:subscription_succeeded");
    const watchedMs = performance.now();
    expect(await gate.trigger("job-7", "complete", {})).toBe(false); // nothing more follows that would push it
    expect(await gate.trigger("nobody-watches-it", "tick", {})).toBe(false);
    await until("what was kept is heard", () => complete.length > 0);
    expect(performance.now() - watchedMs).toBeLessThan(OPEN_MS + BUSY_MS);
    expect(await gate.trigger("nobody-watches-it", "tick", {})).toBe(true);
    await Bun.sleep(deadMs + DEAD_MS - performance.now());
    stage.carrier.comeUp();

    await until("it saves again", async () => !(await gate.trigger("nobody-watches-it", "tick", {})));
    await audience.visited();
    await crew.rest();
    const terms = { mayRepeat: false, mayOvertake: () => false };
    const heardBy = () => audience.problem(audience.watching, crew.calls, { ...terms, patienceMs: 0 });
    await until("everything is heard that should be", () => heardBy() === undefined);
    await audience.leave();
    const patienceMs = LAG_WINDOW_MS + BUSY_MS;
    expect(audience.problem(audience.sessions, crew.calls, { ...terms, patienceMs })).toBeUndefined();
    const { calls } = crew;
    expect(crew.failures).toEqual([]);
    const own = gate.counters.sent + gate.counters.saved;
    await until("the counts are told", () => gate.totals.sent + gate.totals.saved === calls.length + own);
    expect(gate.totals.failedOpen).toBeGreaterThan(100);
  },
);

/** From the first moment on; some leave before the gate has found out, some stay to the end. */
function visitsOf(seed: number): Visit[] {
  const chance = new SeededChance(seed);
  const visits: Visit[] = [
    { watcher: "the last one", channel: CHANNELS[0], fromMs: 300, toMs: undefined, leaves: "close" },
  ];
  for (let atMs = 500; atMs < DEAD_MS - 2_000; atMs += 300 + chance.integer(1_500)) {
    const toMs = Math.min(DEAD_MS, atMs + 200 + chance.integer(8_000));
    visits.push({
      watcher: `watcher ${visits.length}`,
      channel: chance.pick(CHANNELS),
      fromMs: atMs,
      toMs,
      leaves: "close",
    });
  }
  return visits;
}
