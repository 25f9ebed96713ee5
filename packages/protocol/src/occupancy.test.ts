import { describe, expect, test } from "bun:test";
import {
  heartbeat,
  occupancyChange,
  parseEventId,
  parsePositionQuestion,
  snapshotPage,
} from "./occupancy.ts";

const NEWS = { channel: "news", version: 17, count: 2, occurred_ms: 1_700_000_000_000 };

describe("the events of the stream", () => {
  test("are written so", () => {
    const news = '{"channel":"news","version":17,"count":2,"occurred_ms":1700000000000}';
    expect(snapshotPage([NEWS, NEWS], undefined)).toBe(
      `event: snapshot\ndata: {"channels":[${news},${news}]}\n\n`,
    );
    expect(snapshotPage([NEWS], 21)).toBe(
      `event: snapshot\nid: 21\ndata: {"last":true,"channels":[${news}]}\n\n`,
    );
    expect(snapshotPage([], 0)).toBe('event: snapshot\nid: 0\ndata: {"last":true,"channels":[]}\n\n');
    expect(occupancyChange("occupied", NEWS)).toBe(`event: occupied\nid: 17\ndata: ${news}\n\n`);
    expect(occupancyChange("vacated", NEWS)).toBe(`event: vacated\nid: 17\ndata: ${news}\n\n`);
    expect(heartbeat(30)).toBe('event: heartbeat\nid: 30\ndata: {"position":30}\n\n');
  });

  test("have ids that are read back, and others are not", () => {
    expect(parseEventId("0")).toBe(0);
    expect(parseEventId("1700000000000017")).toBe(1_700_000_000_000_017);
    expect(parseEventId(String(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
    for (const other of [
      undefined,
      null,
      "",
      " 1",
      "-1",
      "1.5",
      "1e3",
      "0x1",
      "abc",
      "9007199254740992",
      "1".repeat(17),
      "١",
    ])
      expect(parseEventId(other)).toBeUndefined();
  });
});

describe("the question for the position", () => {
  test("may say nothing", () => {
    for (const body of [undefined, {}, { endpoint: null, gate: null, counters: null, other: 1 }])
      expect(parsePositionQuestion(body)).toEqual({
        endpoint: undefined,
        gate: undefined,
        counters: undefined,
      });
  });

  test("may name an endpoint and a gate with its counters", () => {
    const counters = { sent: 1, saved: 2, caught_up: 3, failed_open: 4 };
    expect(parsePositionQuestion({ endpoint: "e1", gate: "worker", counters })).toEqual({
      endpoint: "e1",
      gate: "worker",
      counters: { sent: 1, saved: 2, caughtUp: 3, failedOpen: 4 },
    });
    expect(parsePositionQuestion({ counters: { sent: 5 } })).toMatchObject({
      counters: { sent: 5, saved: 0, caughtUp: 0, failedOpen: 0 },
    });
  });

  test("is refused where it is something else", () => {
    for (const body of [null, [], "x", 1])
      expect(parsePositionQuestion(body)).toMatchObject({ reason: "apiBodyInvalid" });
    for (const body of [
      { endpoint: 1 },
      { endpoint: "" },
      { endpoint: "x".repeat(2_049) },
      { gate: {} },
      { gate: "" },
      { gate: "x".repeat(101) },
      { counters: [] },
      { counters: "x" },
      { counters: { sent: -1 } },
      { counters: { saved: 1.5 } },
      { counters: { failed_open: "1" } },
      { counters: { caught_up: 2 ** 53 } },
    ])
      expect(parsePositionQuestion(body)).toMatchObject({ reason: "apiParameterInvalid" });
    expect(parsePositionQuestion({ gate: "x".repeat(101) })).toMatchObject({
      message: "Invalid parameter gate: it must be a text of 1 to 100 characters and has 101",
    });
  });
});
