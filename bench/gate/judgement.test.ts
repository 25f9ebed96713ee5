import { expect, test } from "bun:test";
import { judge, type SentTick, type Session, sentAfterLeaving, usefulPublishes } from "./judgement.ts";

const tick = (seq: number, outcome: SentTick["outcome"] = "sent", channel = 1): SentTick => ({
  channel,
  seq,
  calledMs: seq * 1_000,
  answeredMs: seq * 1_000 + 5,
  outcome,
});
const session = (subscribedMs: number, leftMs: number, ...seqs: number[]): Session => ({
  channel: 1,
  subscribedMs,
  leftMs,
  arrivals: seqs.map((seq) => ({ seq, atMs: seq * 1_000 + 10 })),
});
const ticks = [0, 1, 2, 3, 4, 5].map((seq) => tick(seq));

test("a tick is due to whoever was subscribed before it and stayed a while after it", () => {
  expect(judge(ticks, [session(1_500, 4_100, 2, 3)], 250)).toMatchObject({ due: 2, missed: 0 });
  expect(judge(ticks, [session(1_500, 4_500, 2, 3)], 250)).toMatchObject({ due: 3, missed: 1 });
});

test("counts for each viewer, and says what was missed", () => {
  const found = judge(
    [...ticks.slice(0, 3), tick(3, "kept")],
    [session(0, 9_000, 0, 1, 2, 3), session(2_500, 9_000)],
    250,
  );
  expect(found).toMatchObject({ due: 5, missed: 1 });
  expect(found.examples).toEqual([
    "channel 1 seq 3 (kept): called 500 ms after the subscription, 6000 ms before the leaving",
  ]);
});

test("a tick from before the subscription is welcome, one that is repeated or late is counted", () => {
  expect(judge(ticks, [session(1_500, 4_100, 1, 2, 3)], 250)).toMatchObject({ repeated: 0, disordered: 0 });
  expect(judge(ticks, [session(1_500, 4_100, 2, 3, 2)], 250)).toMatchObject({ repeated: 1, disordered: 0 });
  expect(judge(ticks, [session(1_500, 4_100, 3, 2)], 250)).toMatchObject({ repeated: 0, disordered: 1 });
});

test("a publish is useful once, however many saw it, in the window in which it was first seen", () => {
  const sessions = [session(0, 9_000, 0, 1, 2), session(0, 9_000, 1, 2, 3)];
  expect(usefulPublishes(sessions, 1_000, 3_000)).toBe(2);
  expect(usefulPublishes(sessions, 0, 9_000)).toBe(4);
});

test("what is sent to nobody shortly after a viewer left is counted", () => {
  const window = { fromMs: 0, toMs: 9_000, delayMs: 3_000 };
  expect(sentAfterLeaving(ticks, [session(0, 1_500)], window)).toBe(3);
  expect(sentAfterLeaving(ticks, [session(0, 1_500), session(2_500, 9_000)], window)).toBe(1);
  expect(sentAfterLeaving([tick(2, "kept")], [session(0, 1_500)], window)).toBe(0);
  expect(sentAfterLeaving(ticks, [], window)).toBe(0);
});
