import { describe, expect, test } from "bun:test";
import { type Call, problemOf, type Session, type Terms } from "./judgement.ts";

const TERMS: Terms = { patienceMs: 100, mayRepeat: false, mayOvertake: () => false };

/** Numbers 1, 2, 3, ... of worker 1, one every 10 ms from 1010 on. */
const CALLS: Call[] = Array.from({ length: 20 }, (_, index) => ({
  worker: 1,
  channel: "news",
  number: index + 1,
  calledMs: 1_010 + index * 10,
  isSent: true,
}));

function heard(numbers: readonly number[], others: Partial<Session> = {}): Session {
  return {
    watcher: "Ada",
    channel: "news",
    sinceMs: 1_025,
    untilMs: 1_150,
    heard: numbers.map((number) => ({ worker: 1, number })),
    ...others,
  };
}

function judge(session: Session, terms: Partial<Terms> = {}): string | undefined {
  return problemOf(session, CALLS, { ...TERMS, ...terms });
}

describe("a session is right", () => {
  test("with everything from its beginning on, and with what came a little before", () => {
    expect(judge(heard([3, 4, 5]))).toBeUndefined();
    expect(judge(heard([1, 2, 3, 4, 5, 6]))).toBeUndefined();
  });

  test("without what was published shortly before it ended", () => {
    expect(judge(heard([3, 4]))).toBeUndefined();
  });

  test("with another's numbers between", () => {
    const other = { worker: 2, number: 9 };
    expect(judge(heard([], { heard: [other, ...heard([3, 4]).heard] }))).toBeUndefined();
  });
});

describe("a session is wrong", () => {
  test("where one is missing that had time to arrive", () => {
    expect(judge(heard([3]))).toContain("1 missing, first 4");
    expect(judge(heard([]))).toContain("2 missing, first 3");
  });

  test("where one is missing before another one, however short the time", () => {
    expect(judge(heard([3, 4, 5, 7]))).toContain("1 missing, first 6");
  });

  test("where nothing may be late any more because nobody has left", () => {
    const all = CALLS.slice(2).map(({ number }) => number);
    expect(judge(heard(all, { untilMs: undefined }))).toBeUndefined();
    expect(judge(heard(all.slice(0, -1), { untilMs: undefined }))).toContain("1 missing, first 20");
  });

  test("where one comes after a later one", () => {
    expect(judge(heard([3, 5, 4]))).toContain("4 came after 5");
  });

  test("where one comes twice, unless something died", () => {
    expect(judge(heard([3, 4, 4, 5]))).toContain("heard again: 4");
    expect(judge(heard([3, 4, 4, 5]), { mayRepeat: true })).toBeUndefined();
    expect(judge(heard([3, 4, 6, 5]), { mayRepeat: true })).toContain("5 came after 6");
  });
});

test("what was called while the store was away may be overtaken, and must still arrive", () => {
  const mayOvertake = ({ number }: Call) => number === 4;
  expect(judge(heard([3, 5, 4]), { mayOvertake })).toBeUndefined();
  expect(judge(heard([3, 5]), { mayOvertake })).toContain("1 missing, first 4");
});
