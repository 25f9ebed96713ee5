import { beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ManualClock } from "#core/testing/manual-clock";
import { Inlet, OVERTAKEN_WAIT_MS, requestNumber } from "./inlet.ts";
import { ManualAlarms } from "./testing/fallback-world.ts";

let clock: ManualClock;
let alarms: ManualAlarms;
let taken: string[];
let inlet: Inlet;

beforeEach(() => {
  clock = new ManualClock();
  alarms = new ManualAlarms(clock);
  taken = [];
  inlet = new Inlet({ later: alarms.later, take: (messages) => taken.push(...messages) });
});

function pass(ms: number): void {
  clock.advance(ms);
  alarms.ring();
}

describe("posts of one session", () => {
  test("are taken at once where they come in their order", () => {
    inlet.skip(4); // the receive request that opened the session
    for (const number of [5, 6, 7]) inlet.put(number, [`message ${number}`]);
    expect(taken).toEqual(["message 5", "message 6", "message 7"]);
    expect(inlet.waiting).toBe(0);
  });

  test("that overtake wait for those before them", () => {
    inlet.skip(1);
    inlet.put(4, ["c"]);
    inlet.put(3, ["b"]);
    expect(taken).toEqual([]);
    inlet.put(2, ["a"]);
    expect(taken).toEqual(["a", "b", "c"]);
  });

  test("wait no longer than a moment for a number that somebody else has used", () => {
    inlet.skip(1);
    inlet.put(3, ["b"]);
    pass(OVERTAKEN_WAIT_MS - 1);
    expect(taken).toEqual([]);
    pass(1);
    expect(taken).toEqual(["b"]);
    inlet.put(4, ["c"]);
    expect(taken).toEqual(["b", "c"]);
  });

  test("wait anew for each gap", () => {
    inlet.skip(1);
    inlet.put(3, ["3"]);
    inlet.put(5, ["5"]);
    pass(OVERTAKEN_WAIT_MS);
    expect(taken).toEqual(["3"]);
    pass(OVERTAKEN_WAIT_MS);
    expect(taken).toEqual(["3", "5"]);
  });

  test("that come when nobody waits for them any more are taken all the same, once", () => {
    inlet.skip(1);
    inlet.put(5, ["5"]);
    pass(OVERTAKEN_WAIT_MS);
    for (const number of [3, 3, 2, 4, 4]) inlet.put(number, [String(number)]);
    expect(taken).toEqual(["5", "3", "2", "4"]);
  });

  test("that are repeated have no effect, waiting or taken", () => {
    inlet.skip(1);
    inlet.put(2, ["a"]);
    inlet.put(2, ["a"]);
    inlet.put(4, ["c"]);
    inlet.put(4, ["C"]);
    pass(OVERTAKEN_WAIT_MS);
    inlet.put(4, ["c"]);
    expect(taken).toEqual(["a", "c"]);
  });

  test("without a number are taken as they come", () => {
    inlet.skip(1);
    inlet.put(3, ["later"]);
    inlet.put(undefined, ["now"]);
    expect(taken).toEqual(["now"]);
  });

  test("lose their order rather than fill the memory", () => {
    inlet.skip(1);
    inlet.put(3, ["x".repeat(1_000_000)]);
    expect(taken).toEqual([]);
    inlet.put(5, ["y".repeat(100_000)]);
    expect(taken.map((message) => message[0])).toEqual(["x"]);
    expect(inlet.waiting).toBe(1);
  });

  test("are not remembered without end: the oldest of very many gaps count as repeated", () => {
    inlet.skip(0);
    for (let number = 2; number <= 100; number += 2) {
      inlet.put(number, []);
      pass(OVERTAKEN_WAIT_MS);
    }
    inlet.put(1, ["forgotten"]);
    inlet.put(99, ["remembered"]);
    expect(taken).toEqual(["remembered"]);
  });

  test("are not taken after the end", () => {
    inlet.skip(1);
    inlet.put(3, ["b"]);
    inlet.close();
    pass(OVERTAKEN_WAIT_MS);
    expect(taken).toEqual([]);
  });
});

test("whatever the order and the repetitions, all posts are taken once, in the order of their numbers", () => {
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1 });
  fc.assert(
    fc.property(numbers, fc.array(fc.nat({ max: 59 })), (sent, again) => {
      const got: number[] = [];
      const manual = new ManualAlarms(clock);
      const one = new Inlet({
        later: manual.later,
        take: (messages) => got.push(...messages.map(Number)),
      });
      one.skip(0);
      for (const number of [...sent, ...again.map((at) => sent[at % sent.length] ?? 1)])
        one.put(number, [String(number)]);
      for (let gap = 0; gap <= 60; gap++) {
        clock.advance(OVERTAKEN_WAIT_MS);
        manual.ring();
      }
      expect(got).toEqual([...sent].sort((a, b) => a - b));
      expect(one.waiting).toBe(0);
    }),
  );
});

test.each([
  ["17", 17],
  ["0", 0],
  ["999999999999999", 999_999_999_999_999],
  ["9999999999999999", undefined],
  ["-1", undefined],
  ["1e3", undefined],
  ["", undefined],
  [undefined, undefined],
])("the number of %p is %p", (text, number) => {
  expect(requestNumber(text)).toBe(number);
});
