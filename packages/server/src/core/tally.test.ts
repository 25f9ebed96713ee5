import { expect, test } from "bun:test";
import { AppTally, Tallies } from "./tally.ts";

test("counts refusals by reason and requests by endpoint and status", () => {
  const tally = new AppTally();
  tally.refused("frameInvalidJson");
  tally.refused("frameInvalidJson");
  tally.refused("presenceFull");
  tally.requested("events", 200);
  tally.requested("events", 200);
  tally.requested("events", 413);
  expect(tally.refusals).toEqual(
    new Map([
      ["frameInvalidJson", 2],
      ["presenceFull", 1],
    ] as const),
  );
  expect(tally.apiRequests).toEqual(
    new Map([
      [
        "events",
        new Map([
          [200, 2],
          [413, 1],
        ]),
      ],
    ]),
  );
});

test("keeps one tally an app, also one called __proto__", () => {
  const tallies = new Tallies();
  expect(tallies.of("4711")).toBe(tallies.of("4711"));
  expect(tallies.of("__proto__")).not.toBe(tallies.of("4711"));
  expect([...tallies.all()].map(([id]) => id)).toEqual(["4711", "__proto__"]);
});
