import { expect, test } from "bun:test";
import { gateLags } from "./gate-lag.ts";
import type { Session } from "./judgement.ts";
import type { SetChange } from "./set-change.ts";

const visit = (subscribedMs: number, leftMs: number): Session => ({
  channel: 3,
  subscribedMs,
  leftMs,
  arrivals: [],
});
const change = (atMs: number, kind: SetChange["change"]): SetChange => ({
  atMs,
  change: kind,
  member: "private-cloud-3",
});

test("times the first viewer's coming and the last one's leaving", () => {
  const changes = [change(1_020, "added"), change(8_030, "removed"), change(9_015, "added")];
  const visits = [visit(1_000, 4_000), visit(2_000, 5_000), visit(9_000, 20_000)];
  expect(gateLags(changes, visits)).toEqual({ toAddedMs: [20, 15], toRemovedMs: [3_030] });
});

test("a viewer who comes back before the channel is out of the set is no new first one", () => {
  const changes = [change(1_020, "added"), change(12_000, "removed")];
  expect(gateLags(changes, [visit(1_000, 4_000), visit(4_500, 9_000)])).toEqual({
    toAddedMs: [20],
    toRemovedMs: [3_000],
  });
});

test("what was added again without being removed, or for nobody, is not timed", () => {
  const changes = [change(1_020, "added"), change(2_000, "added")];
  expect(gateLags(changes, [visit(1_000, 9_000)])).toEqual({ toAddedMs: [20], toRemovedMs: [] });
  expect(gateLags(changes, [])).toEqual({ toAddedMs: [], toRemovedMs: [] });
});
