import { expect, test } from "bun:test";
import { turnAt, vacantMs } from "./turnover.ts";

const population = { channels: 100, occupied: 90 };

test("every turn is a transition: only vacant channels are subscribed to, only occupied ones are left", () => {
  const occupied = new Set(Array.from({ length: 90 }, (_, channel) => channel));
  for (let number = 0; number < 1_000; number++) {
    const { channel, does } = turnAt(population, number);
    expect(occupied.has(channel)).toBe(does === "unsubscribe");
    if (does === "subscribe") occupied.add(channel);
    else occupied.delete(channel);
  }
  expect(occupied.size).toBe(90);
});

test("a channel stays vacant for as long as it takes to come to all other vacant ones", () => {
  const left = 1; // the first turn that leaves a channel
  expect(turnAt(population, left)).toEqual({ channel: 0, does: "unsubscribe" });
  const again = 2 * 10; // ten vacant ones are taken first
  expect(turnAt(population, again)).toEqual({ channel: 0, does: "subscribe" });
  expect(vacantMs(population, 2)).toBe(10_000);
});
