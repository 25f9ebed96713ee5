import { expect, test } from "bun:test";
import { channelName, channelNumber, tickSchedule } from "./tick-schedule.ts";

const plan = { seed: 1, channels: 50, durationMs: 10_000 };

test("is the same for the same plan", () => {
  expect(tickSchedule(plan)).toEqual(tickSchedule(plan));
  expect(tickSchedule(plan)).not.toEqual(tickSchedule({ ...plan, seed: 2 }));
});

test("has each channel tick once a second, numbered from 0, all in order of time", () => {
  const ticks = tickSchedule(plan);
  expect(ticks).toHaveLength(500);
  expect(ticks.every(({ atMs }, index) => atMs >= (ticks[index - 1]?.atMs ?? 0))).toBeTrue();
  const own = ticks.filter(({ channel }) => channel === 7);
  expect(own.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(own.every(({ seq, atMs }) => atMs >= seq * 1_000 && atMs < (seq + 1) * 1_000)).toBeTrue();
});

test("tells a channel's number from its name and nothing from another name", () => {
  expect(channelNumber(channelName(399))).toBe(399);
  expect(channelNumber("private-other-3")).toBeUndefined();
  expect(channelNumber("private-cloud-3x")).toBeUndefined();
});
