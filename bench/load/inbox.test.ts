import { expect, test } from "bun:test";
import { Histogram } from "./histogram.ts";
import { CheckingInbox, CountingInbox, LatencyInbox } from "./inbox.ts";
import { eventData } from "./sequence.ts";

const subscriber = { channel: "news", control: () => undefined };
const newTally = () => ({ delivered: 0, lastAtMs: 0, wrong: 0 });

/** An event as a server sends it, short enough for a head of 4 bytes. */
function eventFrame(sequence: number, channel = "news", data = eventData(sequence, 200)): Uint8Array {
  const payload = new TextEncoder().encode(JSON.stringify({ event: "tick", channel, data }));
  return new Uint8Array([0x81, 126, payload.length >> 8, payload.length & 255, ...payload]);
}

test("counts without reading", () => {
  const tally = newTally();
  new CountingInbox(subscriber, tally).receive(new Uint8Array([...eventFrame(1), ...eventFrame(2)]));
  expect(tally).toMatchObject({ delivered: 2, wrong: 0 });
});

test("finds an event that is altered, of another channel, or sent twice", () => {
  const tally = newTally();
  const inbox = new CheckingInbox(subscriber, tally);
  inbox.receive(eventFrame(1));
  expect(tally.wrong).toBe(0);
  inbox.receive(eventFrame(1));
  inbox.receive(eventFrame(2, "other"));
  inbox.receive(eventFrame(3, "news", eventData(3, 200).replace("aaa", "aba")));
  expect(tally).toMatchObject({ delivered: 4, wrong: 3 });
});

test("times each event from when its number was sent, and takes a number that was not sent for wrong", () => {
  const tally = newTally();
  const latencies = new Histogram(1, 10_000);
  const sentAtMs = new Float64Array(10);
  sentAtMs[7] = performance.now() - 50;
  const inbox = new LatencyInbox(subscriber, tally, sentAtMs, () => latencies);
  inbox.receive(new Uint8Array([...eventFrame(7), ...eventFrame(8)]));
  expect(tally).toMatchObject({ delivered: 2, wrong: 1 });
  expect(latencies.count).toBe(1);
  expect(latencies.maxMs).toBeGreaterThanOrEqual(50);
});
