import { expect, test } from "bun:test";
import type { SentEvent } from "@earshot/protocol/webhook";
import { EventLog } from "./event-log.ts";

const occupied = (version: number, channel = "a"): SentEvent => ({
  name: "channel_occupied",
  channel,
  version,
});
const vacated = (version: number, channel = "a"): SentEvent => ({
  name: "channel_vacated",
  channel,
  version,
});

function logOf(...events: SentEvent[]): EventLog {
  const log = new EventLog();
  for (const event of events) log.add(event);
  return log;
}

test("a whole log has every event once and in order", () => {
  const log = logOf(occupied(1), occupied(2, "b"), vacated(3), occupied(4));
  expect(log).toMatchObject({ distinct: 4, repeated: 0, wrong: 0 });
  expect(log.missing(3, 1)).toBe(0);
  expect(log.missing(3, 3)).toBe(2);
});

test("a repeated event is no harm, one with another content is", () => {
  expect(logOf(occupied(1), occupied(1))).toMatchObject({ repeated: 1, wrong: 0 });
  expect(logOf(occupied(1), occupied(1, "b"))).toMatchObject({ repeated: 0, wrong: 1 });
});

test("a channel's events alternate, in order of their versions, beginning with somebody's coming", () => {
  expect(logOf(vacated(1)).wrong).toBe(1);
  expect(logOf(occupied(1), occupied(2)).wrong).toBe(1);
  expect(logOf(occupied(2), vacated(1)).wrong).toBe(1);
  expect(logOf({ name: "channel_occupied", channel: "a" }).wrong).toBe(1);
});

test("two logs differ by what only one has", () => {
  expect(logOf(occupied(1), vacated(2)).differences(logOf(occupied(1), vacated(2)))).toBe(0);
  expect(logOf(occupied(1)).differences(logOf(occupied(1), vacated(2)))).toBe(1);
  expect(logOf(occupied(1)).differences(logOf(occupied(1, "b")))).toBe(1);
});
