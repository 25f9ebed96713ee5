import { expect, test } from "bun:test";
import { LastSecond } from "./last-second.ts";
import { SeededChance } from "./testing/seeded-chance.ts";

test("counts what is younger than a second", () => {
  const last = new LastSecond();
  expect(last.countAt(5)).toBe(0);
  last.add(5);
  last.add(5);
  last.add(600);
  expect(last.countAt(1_004)).toBe(3);
  expect(last.countAt(1_005)).toBe(1);
  expect(last.countAt(1_600)).toBe(0);
  expect(last.countAt(1_000_000)).toBe(0);
});

test("agrees with a plain list, whatever comes when", () => {
  const chance = new SeededChance(1);
  for (let round = 0; round < 50; round++) {
    const last = new LastSecond();
    let all: number[] = [];
    let nowMs = 0;
    for (let step = 0; step < 200; step++) {
      nowMs += chance.integer(1 + chance.integer(800));
      if (chance.integer(2) === 0) {
        last.add(nowMs);
        all.push(nowMs);
      }
      all = all.filter((timeMs) => nowMs - timeMs < 1_000);
      expect(last.countAt(nowMs)).toBe(all.length);
    }
  }
});
