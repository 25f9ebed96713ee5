import { beforeEach, describe, expect, test } from "bun:test";
import { laneOf } from "#core/lane";
import type { OutboxEntry, OutboxQuery } from "#core/ports";
import { FakeOutbox } from "#core/testing/fake-outbox";
import { HeldAnswers } from "#core/testing/held-answers";
import { ManualClock } from "#core/testing/manual-clock";
import { Backlog } from "./backlog.ts";
import { namesOfLane } from "./testing/stage.ts";

const APP = "4711";
const [WANTED, UNWANTED] = namesOfLane(3);

let clock: ManualClock;
let outbox: FakeOutbox;

beforeEach(() => {
  clock = new ManualClock();
  outbox = new FakeOutbox(clock);
});

function tell(channel = WANTED): number {
  clock.advance(1);
  return outbox.announce(APP, { name: "cache_miss", channel });
}

function backlogOf(
  read: (query: OutboxQuery) => ReturnType<FakeOutbox["read"]> | Promise<readonly OutboxEntry[]>,
) {
  const backlog = new Backlog({
    outbox: { read },
    appId: APP,
    lane: laneOf(WANTED),
    wants: (entry) => entry.event.channel === WANTED,
    cursor: 0,
    head: outbox.position(APP),
  });
  outbox.onCommitted((_, entries) => {
    for (const entry of entries) if (entry.event.channel === WANTED) backlog.offer(entry);
  });
  return backlog;
}

function versions(backlog: Backlog, limit = 1_000): number[] {
  return backlog.first(limit).map(({ version }) => version);
}

async function all(backlog: Backlog): Promise<number[]> {
  const seen: number[] = [];
  for (;;) {
    if (!backlog.hasRead(1)) await backlog.fill();
    const found = versions(backlog, 20);
    seen.push(...found);
    if (found.length > 0) backlog.doneTo(found.at(-1) ?? 0, found);
    else if (backlog.isComplete) return seen;
  }
}

test("holds what is wanted, in order, and moves over the rest", async () => {
  const told = [tell(UNWANTED), tell(), tell(UNWANTED), tell(), tell(UNWANTED)];
  const backlog = backlogOf((query) => outbox.read(query));
  await backlog.fill();
  expect(versions(backlog)).toEqual([told[1] ?? 0, told[3] ?? 0]);
  expect(backlog.count).toBe(2);
  backlog.doneTo(told[3] ?? 0, versions(backlog));
  expect(backlog).toMatchObject({ count: 0, isComplete: true, oldestMs: undefined });
  backlog.settle(outbox.position(APP));
  expect(backlog.cursor).toBe(outbox.position(APP));
});

test("takes what is committed without reading it, as long as all of it is in memory", async () => {
  let reads = 0;
  const backlog = backlogOf((query) => {
    reads++;
    return outbox.read(query);
  });
  await backlog.fill();
  const told = Array.from({ length: 250 }, () => tell());
  expect(versions(backlog)).toEqual(told.slice(0, 100));
  expect(backlog).toMatchObject({ count: 250, isComplete: false });
  expect(reads).toBe(1);
  expect(await all(backlog)).toEqual(told);
  expect(backlog.count).toBe(0);
});

test("what is committed while an answer is on its way is neither missed nor taken twice", async () => {
  const told = [tell()];
  const answers = new HeldAnswers();
  const backlog = backlogOf((query) => {
    const answer = outbox.read(query); // as old as the question
    return answers.hold(() => answer);
  });
  const filled = backlog.fill();
  told.push(tell());
  await answers.release();
  await filled;
  expect(backlog.isComplete).toBe(false);
  told.push(tell());
  const again = backlog.fill();
  await answers.release();
  await again;
  expect(versions(backlog)).toEqual(told);
  expect(backlog).toMatchObject({ isComplete: true, count: 3 });
});

describe("counting", () => {
  test("goes on while events come and go", async () => {
    const told = Array.from({ length: 1_700 }, () => tell());
    const backlog = backlogOf((query) => outbox.read(query));
    await backlog.fill();
    backlog.doneTo(told[19] ?? 0, told.slice(0, 20));
    await backlog.countOn();
    for (let i = 0; i < 5; i++) tell();
    while (!backlog.isCounted) await backlog.countOn();
    expect(backlog.count).toBe(1_685);
  });

  test("begins anew when something else is wanted", async () => {
    for (let i = 0; i < 700; i++) tell();
    const backlog = backlogOf((query) => outbox.read(query));
    while (!backlog.isCounted) await backlog.countOn();
    backlog.reset(outbox.position(APP));
    expect(backlog.count).toBe(0);
    tell();
    while (!backlog.isCounted) await backlog.countOn();
    expect(backlog.count).toBe(701);
  });
});

describe("the oldest that waits", () => {
  test("is taken for older than it is while it is being looked for", async () => {
    for (let i = 0; i < 150; i++) tell(UNWANTED);
    const beforeMs = clock.wallMs();
    tell();
    const backlog = backlogOf((query) => outbox.read(query));
    expect(backlog.oldestMs).toBe(0);
    await backlog.fill();
    expect(backlog.oldestMs).toBeLessThanOrEqual(beforeMs);
    await backlog.fill();
    expect(backlog.oldestMs).toBe(beforeMs + 1);
  });
});
