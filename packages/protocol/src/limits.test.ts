import { expect, test } from "bun:test";
import { DEFAULT_LIMITS, LIMIT_NAMES, LIMITS, MAX_TIMESTAMP_SKEW_SECONDS } from "./limits.ts";

test("has a default within the bounds of each limit, a unit, a description and a source", () => {
  for (const name of LIMIT_NAMES) {
    const row = LIMITS[name];
    expect(DEFAULT_LIMITS[name]).toBe(row.default);
    expect(row.default).toBeGreaterThanOrEqual(row.min);
    expect(row.default).toBeLessThanOrEqual(row.max);
    expect(row.doc).not.toBe("");
    expect(row.source).not.toBe("");
  }
});

test("defaults to the documented numbers", () => {
  expect(DEFAULT_LIMITS).toMatchObject({
    maxEventBytes: 10_240,
    maxChannelsPerEvent: 100,
    maxBatchEvents: 10,
    maxEventNameChars: 200,
    maxChannelNameChars: 200,
    maxPresenceMembers: 100,
    maxMemberBytes: 1_024,
    maxUserIdChars: 128,
    maxClientEventsPerSecond: 10,
    cacheTtlSeconds: 1_800,
  });
  expect(MAX_TIMESTAMP_SKEW_SECONDS).toBe(600);
});

test("leaves room in a frame for the largest event data, however it is escaped", () => {
  const escaped = JSON.stringify({
    event: `client-${"x".repeat(193)}`,
    channel: "c".repeat(DEFAULT_LIMITS.maxChannelNameChars),
    data: "\u0000".repeat(DEFAULT_LIMITS.maxEventBytes),
  });
  expect(Buffer.byteLength(escaped)).toBeLessThanOrEqual(DEFAULT_LIMITS.maxFrameBytes);
});

test("cannot be changed by accident", () => {
  expect(Object.isFrozen(DEFAULT_LIMITS)).toBe(true);
});
