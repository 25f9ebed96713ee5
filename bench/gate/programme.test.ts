import { expect, test } from "bun:test";
import { type ProgrammeSizes, programme } from "./programme.ts";

const sizes: ProgrammeSizes = {
  seed: 1,
  channels: 400,
  watchedPercent: 5,
  warmUpMs: 10_000,
  windowMs: 30_000,
  idleMs: 10_000,
  sweepMs: 8_000,
  outageMs: 15_000,
  glances: 100,
};
const watchedAt = (mode: string, atMs: number) =>
  new Set(
    programme(mode, sizes)
      .visits.filter(({ fromMs, toMs }) => fromMs <= atMs && toMs > atMs)
      .map(({ channel }) => channel),
  ).size;

test("without the gate and with it the same channels are watched by the same viewers", () => {
  const during = (mode: string) => programme(mode, sizes).visits.filter(({ fromMs }) => fromMs === 0);
  const channels = (mode: string) => during(mode).map(({ channel }) => channel);
  expect(channels("A")).toEqual(channels("B"));
  expect(programme("A", sizes).publishing).toBe("all");
  expect(watchedAt("A", 20_000)).toBe(20);
});

test("the sweep watches the share that its name says", () => {
  expect(watchedAt("E0", 5_000)).toBe(0);
  expect(watchedAt("E1", 5_000)).toBe(4);
  expect(watchedAt("E100", 5_000)).toBe(400);
});

test("viewers are timed after the measured window, on channels of their own", () => {
  const { visits, toMs, endMs, timesTheSet } = programme("B", sizes);
  const timed = visits.filter(({ fromMs }) => fromMs > 0);
  expect(timesTheSet).toBeTrue();
  expect(timed).toHaveLength(100);
  expect(timed.every((visit) => visit.fromMs >= toMs && visit.toMs < endMs)).toBeTrue();
  expect(new Set(visits.map(({ channel }) => channel)).size).toBe(120);
});

test("nobody comes or goes around the deletion of the set", () => {
  const { visits, faults, endMs } = programme("D", sizes);
  const deletedMs = faults.find(({ fault }) => fault === "set is deleted")?.atMs ?? 0;
  const moves = visits.flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
  expect(deletedMs).toBeGreaterThan(0);
  expect(moves.some((ms) => ms > deletedMs - 4_900 && ms < deletedMs + 4_900)).toBeFalse();
  expect(moves.filter((ms) => ms > 0 && ms < endMs).length).toBeGreaterThan(100);
  expect(Math.max(...moves)).toBe(endMs + 6_000);
});
