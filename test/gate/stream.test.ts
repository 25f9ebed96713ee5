/** Gates that read the occupancy stream: nothing is set up, no Redis, each process with a memory of its own. */
import { afterEach, describe, expect, test } from "bun:test";
import { createGate, type Gate } from "../../packages/gate/src/index.ts";
import { Trace } from "../shadow/trace.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { disconnectPushers, heard, makePusher, once } from "../support/pusher-client.ts";
import { twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";
import { Audience } from "./audience.ts";
import { Crew, planWorkers } from "./crew.ts";
import { scheduleOf } from "./schedule.ts";
import { CHANNELS, LAG_WINDOW_MS, LENGTH_MS, SERVER_FLAGS } from "./world.ts";

const undo: (() => unknown)[] = [];

afterEach(async () => {
  disconnectPushers();
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(flags = twentieth()): Promise<Earshot> {
  const earshot = await startEarshot({ args: flags });
  undo.push(() => earshot.kill());
  return earshot;
}

async function startGate(earshot: Earshot): Promise<Gate> {
  const gate = createGate({ pusher: pusherFor(earshot), feed: "stream" });
  undo.push(() => gate.close());
  await gate.start();
  return gate;
}

describe("a gate that reads the stream", () => {
  test("sends what is watched and saves the rest, and both together are all calls", async () => {
    const earshot = await start();
    const gate = await startGate(earshot);
    const ticks = heard(makePusher(earshot).subscribe("cloud-1"), "tick");
    await until("the gate has heard", () => gate.trigger("cloud-1", "warm-up", {}));
    const before = gate.counters;
    for (let number = 1; number <= 20; number++) {
      for (const channel of ["cloud-1", "cloud-2", "cloud-3"]) await gate.trigger(channel, "tick", number);
    }
    const { sent, saved, failedOpen } = gate.counters;
    expect({ sent: sent - before.sent, saved: saved - before.saved, failedOpen }).toEqual({
      sent: 20,
      saved: 40,
      failedOpen: 0,
    });
    await until("all are heard", () => ticks.length === 20);
    expect(ticks).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test("misses nothing from subscription_succeeded on, however soon it is called", async () => {
    const earshot = await start();
    const gate = await startGate(earshot);
    const client = makePusher(earshot);
    const channels = Array.from({ length: 50 }, (_, index) => `job-${index}`);
    const results = await Promise.all(
      channels.map(async (name) => {
        const channel = client.subscribe(name);
        const complete = heard(channel, "complete");
        await once(channel, "pusher:subscription_succeeded");
        await gate.trigger(name, "complete", name);
        return { name, complete };
      }),
    );
    await until("all are heard", () => results.every(({ complete }) => complete.length > 0));
    for (const { name, complete } of results) expect(complete).toEqual([name]);
    await until("each call is counted", () => gate.counters.sent === 50); // a 2xx may come after its event
    expect(gate.counters.saved).toBe(0);
  });

  test("tells once for each occupation that somebody watches", async () => {
    const earshot = await start();
    const gate = await startGate(earshot);
    const told: string[] = [];
    gate.onOccupied((channel) => {
      told.push(channel);
    });
    const client = makePusher(earshot);
    for (let occupation = 1; occupation <= 3; occupation++) {
      const channel = client.subscribe("jobs");
      await once(channel, "pusher:subscription_succeeded");
      await until("it is told", () => told.length === occupation);
      client.unsubscribe("jobs");
      await until("the gate saves again", async () => !(await gate.trigger("jobs", "tick", {})));
      expect(told).toHaveLength(occupation);
    }
  });
});

test("four workers with a stream each miss nothing while the server is killed and comes back", async () => {
  const earshot = await start(SERVER_FLAGS);
  const crew = new Crew(
    planWorkers(earshot, { feed: { from: "stream" }, seed: 1, lagWindowMs: LAG_WINDOW_MS }),
  );
  undo.push(() => crew.end());
  await crew.working();
  const audience = new Audience(earshot, new Trace());
  audience.attend(scheduleOf(1).visits);
  for (const how of ["kill", "stop"] as const) {
    await Bun.sleep(LENGTH_MS / 3);
    audience.cutOff();
    await earshot[how]();
    await earshot.restart();
  }
  await audience.visited();
  await crew.rest();
  const terms = { mayRepeat: true, mayOvertake: () => false };
  const isHeard = () => {
    const { watching } = audience;
    return (
      watching.length > 0 && audience.problem(watching, crew.calls, { ...terms, patienceMs: 0 }) === undefined
    );
  };
  await until("everything is heard that should be", isHeard);
  await audience.leave();
  expect(audience.problem(audience.sessions, crew.calls, { ...terms, patienceMs: 2_500 })).toBeUndefined();
  expect(new Set(crew.complaints.map(({ code }) => code))).toEqual(
    new Set(["stream_failed", "position_unavailable"]),
  );
  expect(audience.heard).toBeGreaterThan(100);
  expect(crew.calls.filter(({ isSent }) => !isSent).length).toBeGreaterThan(CHANNELS.length);
  await crew.close();
});
