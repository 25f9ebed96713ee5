import { afterEach, describe, expect, test } from "bun:test";
import type { WebhookSettings } from "./parts.ts";
import { APP, answered, draft, endpoint, namesOfLane, Stage, UNREACHABLE } from "./testing/stage.ts";

const [FIRST, SECOND] = namesOfLane(3);
const [ELSEWHERE] = namesOfLane(4);
const MINUTE_MS = 60_000;

let stage: Stage;

afterEach(() => stage.end());

function play(settings: Partial<WebhookSettings> = {}, over = {}): Promise<Stage> {
  stage = new Stage(draft(endpoint(over)), settings);
  return stage.start();
}

/** A commit of several events. */
function together(announce: () => void): void {
  stage.outbox.commitsAtOnce = false;
  announce();
  stage.outbox.commit();
  stage.outbox.commitsAtOnce = true;
}

function dead(): string[] {
  stage.store.flush();
  const letters = stage.look((log) => log.deadLetters({ appId: APP, limit: 100 }));
  return letters.map(({ eventJson, reason }) => `${JSON.parse(eventJson).channel} ${reason}`);
}

/** Refuses whatever tells of one channel. */
function refuses(channel: string, status = 400): void {
  stage.receiver = ({ events }) => answered(events.some((one) => one.channel === channel) ? status : 200);
}

describe("a poisonous event", () => {
  test("becomes a dead letter alone: the good ones of its batch arrive, in order", async () => {
    await play();
    refuses(SECOND);
    together(() => {
      stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
      stage.outbox.announce(APP, { name: "cache_miss", channel: SECOND });
      stage.outbox.occupied(APP, FIRST);
    });
    stage.outbox.vacated(APP, FIRST);
    await stage.pass(4.9 * MINUTE_MS, 500);
    expect(new Set((await stage.take()).map(String))).toEqual(
      new Set([`cache_miss ${FIRST},cache_miss ${SECOND},channel_occupied ${FIRST}`]),
    );
    await stage.pass(MINUTE_MS, 500);
    const told = await stage.take();
    const alone = told.slice(told.findIndex((events) => events.length === 1));
    expect(alone.map(String)).toEqual([
      `cache_miss ${FIRST}`,
      `cache_miss ${SECOND}`,
      `cache_miss ${SECOND}`,
      `cache_miss ${SECOND}`,
      `channel_occupied ${FIRST}`,
      `channel_vacated ${FIRST}`,
    ]);
    expect(dead()).toEqual([`${SECOND} refused`]);
    expect(stage.progress()).toMatchObject({ deadLetters: 1, waiting: 0, delivered: 3 });
  });

  test("is one whose receiver fails on it while other lanes arrive", async () => {
    await play();
    stage.receiver = ({ told }) => (told.includes(`cache_miss ${FIRST}`) ? answered(500) : answered(200));
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    for (let minute = 0; minute < 9; minute++) {
      stage.outbox.announce(APP, { name: "cache_miss", channel: ELSEWHERE });
      await stage.pass(MINUTE_MS, 500);
    }
    expect(dead()).toEqual([`${FIRST} failing`]);
  });

  test("is none where the receiver is down for an hour: everything waits, and arrives", async () => {
    await play();
    let isDown = false;
    stage.receiver = ({ told }) => {
      if (told.includes(`cache_miss ${FIRST}`)) isDown ||= stage.received.length === 1;
      return isDown ? UNREACHABLE : answered(200);
    };
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    isDown = false; // it serves another lane once more
    stage.outbox.announce(APP, { name: "cache_miss", channel: ELSEWHERE });
    await stage.take();
    stage.receiver = () => UNREACHABLE;
    for (let minute = 0; minute < 60; minute++) {
      stage.outbox.announce(APP, { name: "cache_miss", channel: minute % 2 === 0 ? ELSEWHERE : SECOND });
      await stage.pass(MINUTE_MS, 1_000);
    }
    expect(dead()).toEqual([]);
    stage.receiver = () => answered(200);
    await stage.pass(6 * MINUTE_MS, 1_000);
    expect(dead()).toEqual([]);
    expect(stage.progress()).toMatchObject({ waiting: 0, delivered: 62, deadLetters: 0 });
  });

  test("names what its last attempt met with", async () => {
    await play();
    stage.receiver = () => answered(422, "no such thing");
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(6 * MINUTE_MS, 500);
    stage.store.flush();
    const [letter] = stage.look((log) => log.deadLetters({ appId: APP, endpointId: "e1", limit: 1 }));
    expect(letter).toMatchObject({
      reason: "refused",
      problem: "status 422",
      attempts: stage.received.length,
    });
    const attempts = stage.look((log) => log.delivery(letter?.deliveryId ?? ""));
    expect(attempts.at(-1)?.outcome).toEqual({ answered: true, status: 422, response: "no such thing" });
    expect(stage.log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn webhooks became dead letters: see "earshot webhooks deliveries"',
    ]);
  });
});

test("what nobody takes for a day is given up, a whole batch at once", async () => {
  await play({ giveUpMs: 10 * MINUTE_MS });
  stage.receiver = () => UNREACHABLE;
  together(() => {
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    stage.outbox.announce(APP, { name: "cache_miss", channel: SECOND });
  });
  await stage.pass(9.9 * MINUTE_MS, 500);
  expect(dead()).toEqual([]);
  await stage.pass(0.2 * MINUTE_MS, 500);
  expect(dead()).toEqual([`${SECOND} gave up`, `${FIRST} gave up`]);
});

describe("a state that died", () => {
  test("is told as it is then, under its version, after the lane's next success", async () => {
    await play({ giveUpMs: MINUTE_MS });
    stage.receiver = () => UNREACHABLE;
    const version = stage.outbox.occupied(APP, FIRST);
    await stage.pass(1.1 * MINUTE_MS);
    expect(dead()).toEqual([`${FIRST} gave up`]);
    expect(stage.progress()).toMatchObject({ waiting: 1, deadLetters: 1 });
    await stage.take();
    stage.receiver = () => answered(200);
    stage.outbox.announce(APP, { name: "cache_miss", channel: SECOND });
    expect(await stage.take()).toEqual([[`cache_miss ${SECOND}`], [`channel_occupied ${FIRST}`]]);
    expect(stage.received.at(-1)?.events[0]).toMatchObject({ version, id: `${APP}-${version}` });
    expect(dead()).toEqual([]); // it has arrived
    expect(stage.progress()).toMatchObject({ waiting: 0, deadLetters: 0, oldestWaitingMs: undefined });
  });

  test("is not told where a newer one follows in its turn", async () => {
    await play({ giveUpMs: MINUTE_MS });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(1.1 * MINUTE_MS);
    await stage.take();
    stage.receiver = () => answered(200);
    stage.outbox.vacated(APP, FIRST);
    await stage.pass(MINUTE_MS);
    expect(await stage.take()).toEqual([[`channel_vacated ${FIRST}`]]);
    expect(stage.progress().waiting).toBe(0);
  });

  test("is told in a quiet lane too, after the longest pause", async () => {
    await play({ giveUpMs: MINUTE_MS });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.memberAdded(APP, FIRST, "u-7");
    await stage.pass(1.1 * MINUTE_MS);
    await stage.take();
    stage.receiver = () => answered(200);
    await stage.pass(4.8 * MINUTE_MS, 500);
    expect(await stage.take()).toEqual([]);
    await stage.pass(0.3 * MINUTE_MS, 500);
    expect(await stage.take()).toEqual([[`member_added ${FIRST} u-7`]]);
  });

  test("stays owed when that dies as well, and holds up nothing: one attempt after a success, now and then", async () => {
    await play();
    refuses(FIRST);
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(6 * MINUTE_MS, 500);
    stage.outbox.occupied(APP, SECOND);
    await stage.pass(6 * MINUTE_MS, 500);
    expect(dead()).toEqual([`${FIRST} refused`]);
    expect(stage.progress()).toMatchObject({ deadLetters: 1, waiting: 1 });
    const attempts = stage.received.length;
    stage.outbox.vacated(APP, SECOND);
    stage.outbox.occupied(APP, SECOND);
    await stage.pass(1_000, 100);
    expect(stage.received.length).toBe(attempts + 2); // it died less than the longest pause ago
    await stage.pass(20 * MINUTE_MS, 500);
    expect(stage.received.length).toBeLessThan(attempts + 2 + 6);
    await stage.take();
    stage.receiver = () => answered(200);
    await stage.pass(6 * MINUTE_MS, 500);
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
    expect(stage.progress()).toMatchObject({ deadLetters: 0, waiting: 0 });
  });

  test("is told once its receiver is well again, however long it refused everything", async () => {
    await play();
    stage.receiver = () => answered(400);
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(60 * MINUTE_MS, 1_000);
    await stage.take();
    stage.receiver = () => answered(200);
    stage.outbox.announce(APP, { name: "cache_miss", channel: SECOND });
    await stage.pass(6 * MINUTE_MS, 500);
    expect(await stage.take()).toEqual([[`cache_miss ${SECOND}`], [`channel_occupied ${FIRST}`]]);
    expect(dead()).toEqual([]);
  });

  test("is owed over a restart", async () => {
    await play({ giveUpMs: MINUTE_MS });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(1.1 * MINUTE_MS);
    stage.kill();
    stage.receiver = () => answered(200);
    await stage.start();
    await stage.take();
    expect(stage.progress()).toMatchObject({ waiting: 1, deadLetters: 1 });
    stage.outbox.occupied(APP, SECOND);
    expect(await stage.take()).toEqual([[`channel_occupied ${SECOND}`], [`channel_occupied ${FIRST}`]]);
  });
});
