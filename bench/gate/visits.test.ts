import { expect, test } from "bun:test";
import { churningVisits, glances, staticVisits } from "./visits.ts";

const span = { channels: 400, watched: 20, fromMs: 0, toMs: 120_000 };

test("static viewers are one or two on each watched channel, all the time", () => {
  const visits = staticVisits(1, span);
  expect(new Set(visits.map(({ channel }) => channel)).size).toBe(20);
  expect(visits.length).toBeGreaterThan(20);
  expect(visits.length).toBeLessThan(40);
  expect(visits.every(({ fromMs, toMs }) => fromMs === 0 && toMs === 120_000)).toBeTrue();
});

test("churning viewers watch as many channels at any time, one of which changes about every two seconds", () => {
  const visits = churningVisits(1, span);
  expect(visits).toEqual(churningVisits(1, span));
  for (const atMs of [0, 30_000, 90_000]) {
    const watched = new Set(visits.filter((v) => v.fromMs <= atMs && v.toMs > atMs).map((v) => v.channel));
    expect(watched.size).toBeGreaterThanOrEqual(18); // a reload may be under way
    expect(watched.size).toBeLessThanOrEqual(20);
  }
  const endings = new Set(visits.filter(({ toMs }) => toMs < span.toMs).map(({ toMs }) => toMs));
  expect(endings.size).toBeGreaterThan(45);
  expect(endings.size).toBeLessThan(85);
});

test("some viewers reload: gone for less than a second", () => {
  const visits = churningVisits(1, span);
  const gapsMs = visits.flatMap((visit) =>
    visits
      .filter(({ channel, fromMs }) => channel === visit.channel && fromMs > visit.toMs)
      .map(({ fromMs }) => fromMs - visit.toMs),
  );
  expect(gapsMs.some((gapMs) => gapMs >= 100 && gapMs < 1_000)).toBeTrue();
});

test("glances are at channels that nobody watches, one after another", () => {
  const watched = new Set(staticVisits(1, span).map(({ channel }) => channel));
  const visits = glances(
    2,
    { channels: 400, count: 50, fromMs: 1_000, everyMs: 100, stayMs: 2_000 },
    watched,
  );
  expect(visits).toHaveLength(50);
  expect(new Set(visits.map(({ channel }) => channel)).size).toBe(50);
  expect(visits.some(({ channel }) => watched.has(channel))).toBeFalse();
  expect(visits.at(-1)).toMatchObject({ fromMs: 5_900, toMs: 7_900 });
});
