import { describe, expect, test } from "bun:test";
import { lastEventsConformance } from "../conformance/last-events.ts";
import { LocalLastEvents } from "./last-events.ts";

function remembering(maxEvents = 1_000) {
  let nowMs = 5_000;
  const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
  const advance = (ms: number) => {
    nowMs += ms;
  };
  return { lastEvents: new LocalLastEvents({ clock, maxEvents }), advance };
}

lastEventsConformance("in one process", () => remembering());

describe("the memory of one process", () => {
  const event = { name: "e", data: "d" };

  test("gives up the event that was published longest ago where there are too many", () => {
    const { lastEvents } = remembering(3);
    for (const channel of ["a", "b", "c", "a", "d"]) lastEvents.remember("4711", channel, event, 60);
    const known = ["a", "b", "c", "d"].filter((channel) => lastEvents.recall("4711", channel) !== undefined);
    expect(known).toEqual(["a", "c", "d"]);
  });

  test("is given back by a sweep", () => {
    const { lastEvents, advance } = remembering(2);
    lastEvents.remember("4711", "short", event, 1);
    lastEvents.remember("4711", "long", event, 60);
    advance(1_000);
    lastEvents.sweep();
    lastEvents.remember("4711", "new", event, 60);
    expect(lastEvents.recall("4711", "long")).toBeDefined();
    expect(lastEvents.recall("4711", "new")).toBeDefined();
  });
});
