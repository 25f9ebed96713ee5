import { expect, test } from "bun:test";
import { ManualClock } from "#core/testing/manual-clock";
import { GateReports } from "./gate-reports.ts";

const counters = (sent: number) => ({ sent, saved: 0, caughtUp: 0, failedOpen: 0 });

function reports() {
  const clock = new ManualClock();
  const gates = new GateReports(clock);
  const seen = () =>
    [...gates.all()].map(({ appId, gate, counters: { sent } }) => `${appId} ${gate} ${sent}`);
  return { clock, gates, seen };
}

test("remembers the newest report of each gate, app by app", () => {
  const { gates, seen } = reports();
  gates.report("1", "a", counters(1));
  gates.report("2", "a", counters(2));
  gates.report("1", "__proto__", counters(3));
  gates.report("1", "a", counters(4));
  expect(seen()).toEqual(["1 __proto__ 3", "1 a 4", "2 a 2"]);
});

test("forgets a gate that has been silent for a minute", () => {
  const { clock, gates, seen } = reports();
  gates.report("1", "a", counters(1));
  clock.advance(30_000);
  gates.report("1", "b", counters(2));
  clock.advance(30_000);
  expect(seen()).toEqual(["1 a 1", "1 b 2"]);
  clock.advance(1);
  expect(seen()).toEqual(["1 b 2"]);
  clock.advance(30_000);
  expect(seen()).toEqual([]);
});

test("keeps the hundred that reported last", () => {
  const { gates, seen } = reports();
  for (let gate = 0; gate < 100; gate++) gates.report("1", `g${gate}`, counters(gate));
  gates.report("1", "g0", counters(7));
  gates.report("1", "new", counters(8));
  expect(seen()).toHaveLength(100);
  expect(seen()).toContain("1 g0 7");
  expect(seen()).not.toContain("1 g1 1");
});
