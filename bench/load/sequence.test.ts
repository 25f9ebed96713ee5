import { expect, test } from "bun:test";
import { eventData, sequenceAt, sequenceOffset } from "./sequence.ts";

test("makes data of exactly the size asked for", () => {
  for (const bytes of [31, 200, 10_240]) expect(eventData(12, bytes)).toHaveLength(bytes);
  expect(JSON.parse(eventData(12, 40))).toMatchObject({ seq: "00000012" });
});

test("refuses a size that cannot hold the number", () => {
  expect(() => eventData(0, 10)).toThrow("--bytes");
});

test("finds the number inside a frame, whatever the order of the keys", () => {
  for (const frame of [
    JSON.stringify({ event: "e", channel: "c", data: eventData(123_456, 60) }),
    JSON.stringify({ data: eventData(123_456, 60), channel: "c", event: "e" }),
  ]) {
    const bytes = new TextEncoder().encode(`__${frame}`);
    const offset = sequenceOffset(bytes, 2, bytes.length);
    expect(sequenceAt(bytes, 2 + offset)).toBe(123_456);
  }
});

test("says -1 for a frame without a number", () => {
  const bytes = new TextEncoder().encode('{"event":"pusher:pong","data":"{}"}');
  expect(sequenceOffset(bytes, 0, bytes.length)).toBe(-1);
});
