import { afterEach, describe, expect, test } from "bun:test";
import {
  APP,
  answered,
  draft,
  endpoint,
  HeldReceiver,
  namesOfLane,
  Stage,
  UNREACHABLE,
} from "./testing/stage.ts";

const [FIRST, SECOND] = namesOfLane(3);
const [ELSEWHERE] = namesOfLane(4);

let stage: Stage;

afterEach(() => stage.end());

/** A receiver that is down. */
async function play(maxWaiting: number, over = {}): Promise<Stage> {
  stage = new Stage(draft(endpoint(over)), { maxWaiting });
  stage.receiver = () => UNREACHABLE;
  return await stage.start();
}

function dead(): string[] {
  stage.store.flush();
  const letters = stage.look((log) => log.deadLetters({ appId: APP, limit: 10_000 }));
  return letters.map(({ eventJson, reason }) => `${JSON.parse(eventJson).channel}: ${reason}`).reverse();
}

describe("when too many events wait", () => {
  test("the oldest become dead letters, over all lanes, and no more than needed", async () => {
    await play(3);
    for (const channel of [FIRST, ELSEWHERE, SECOND, FIRST, ELSEWHERE])
      stage.outbox.announce(APP, { name: "cache_miss", channel });
    await stage.pass(200);
    expect(stage.progress()).toMatchObject({ waiting: 3, deadLetters: 2, collapsed: 0 });
    expect(dead()).toEqual([`${FIRST}: too many waited`, `${ELSEWHERE}: too many waited`]);
  });

  test("states collapse to the newest, which is told in the end", async () => {
    await play(2);
    for (let i = 0; i < 5; i++) {
      stage.outbox.occupied(APP, FIRST);
      stage.outbox.vacated(APP, FIRST);
    }
    stage.outbox.occupied(APP, SECOND);
    for (let i = 0; i < 2; i++) stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(200);
    expect(stage.progress()).toMatchObject({ collapsed: 11, deadLetters: 0 });
    expect(dead()).toEqual([]);
    await stage.take();
    stage.receiver = () => answered(200);
    await stage.pass(2_000);
    expect(await stage.take()).toEqual([
      [`cache_miss ${FIRST}`, `cache_miss ${FIRST}`],
      [`channel_vacated ${FIRST}`, `channel_occupied ${SECOND}`],
    ]);
    expect(stage.progress()).toMatchObject({ waiting: 0, oldestWaitingMs: undefined });
  });

  test("the receiver is not asked any more often", async () => {
    await play(2);
    for (let i = 0; i < 600; i++) {
      stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
      await stage.pass(100);
    }
    expect(stage.received.length).toBeLessThan(10); // 1, 2, 4, 8, 16, 32 s, less what chance takes
  });

  test("what is under way is left alone, and the others are given up once its lane is free", async () => {
    await play(3);
    const receiver = new HeldReceiver();
    stage.receiver = receiver.receive;
    for (let i = 0; i < 30; i++) stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(5_000);
    expect(stage.progress()).toMatchObject({ waiting: 30, deadLetters: 0 });
    await receiver.answer(UNREACHABLE);
    await stage.pass(2_000);
    expect(stage.progress()).toMatchObject({ waiting: 3, deadLetters: 27 });
  });

  test("a disabled endpoint is under the same bound", async () => {
    await play(4);
    stage.apps.put(draft(endpoint({ enabled: false })));
    for (let i = 0; i < 10; i++) stage.outbox.announce(APP, { name: "cache_miss", channel: `cache-${i}` });
    await stage.pass(1_000);
    expect(stage.progress()).toMatchObject({ waiting: 4, deadLetters: 6 });
  });

  test("what nobody wants does not count", async () => {
    await play(4, { prefix: "cache-" });
    for (let i = 0; i < 10; i++) {
      stage.outbox.announce(APP, { name: "cache_miss", channel: `other-${i}` });
      stage.outbox.announce(APP, { name: "cache_miss", channel: `cache-${i}` });
    }
    await stage.pass(1_000);
    expect(stage.progress()).toMatchObject({ waiting: 4, deadLetters: 6 });
  });

  test("it is found out after a restart as well, and what was given up stays so", async () => {
    await play(1_000_000);
    for (let i = 0; i < 3_000; i++)
      stage.outbox.announce(APP, { name: "cache_miss", channel: `cache-${i % 50}` });
    await stage.pass(1_000);
    expect(stage.progress()).toMatchObject({ waiting: 3_000, deadLetters: 0 });
    const before = stage;
    before.kill();
    Object.assign(before.settings, { maxWaiting: 500 });
    await before.start();
    await before.until(() => before.progress().waiting === 500);
    expect(before.progress().deadLetters).toBe(2_500);
    before.kill();
    await before.start();
    await before.until(() => before.progress().waiting === 500);
    expect(before.progress().deadLetters).toBe(2_500);
  });
});

test("hundreds of thousands that wait are not in memory, and are counted", async () => {
  await play(1_000_000);
  const limits: number[] = [];
  const { read } = stage.outbox;
  stage.outbox.read = (query) => {
    limits.push(query.limit);
    return read.call(stage.outbox, query);
  };
  stage.outbox.commitsAtOnce = false;
  for (let i = 0; i < 200_000; i++)
    stage.outbox.announce(APP, { name: "cache_miss", channel: `cache-${i % 500}` });
  stage.outbox.commit();
  await stage.pass(1_000);
  expect(stage.progress().waiting).toBe(200_000);
  stage.kill();
  await stage.start();
  await stage.until(() => stage.progress().waiting === 200_000);
  expect(Math.max(...limits)).toBeLessThanOrEqual(500);
});
