import { afterEach, describe, expect, test } from "bun:test";
import type { RedeliveryAnswer, RedeliveryWish } from "./delivery-log.ts";
import { APP, answered, draft, endpoint, namesOfLane, Stage, UNREACHABLE } from "./testing/stage.ts";

const [FIRST, SECOND] = namesOfLane(3);
const [ELSEWHERE] = namesOfLane(4);

let stage: Stage;

afterEach(() => stage.end());

async function play(over = {}, settings = {}): Promise<Stage> {
  stage = await new Stage(draft(endpoint(over)), settings).start();
  return stage;
}

/** Asks as another process does, and waits for what the server makes of it. */
async function ask(wish: RedeliveryWish, endpointId = "e1"): Promise<RedeliveryAnswer | undefined> {
  stage.store.flush();
  const id = stage.look((log) =>
    log.requestRedelivery({ appId: APP, endpointId }, wish, stage.clock.wallMs()),
  );
  expect(stage.look((log) => log.redelivery(id))).toEqual({ state: "asked" });
  await stage.take();
  await stage.pass(1_000);
  return stage.look((log) => log.redelivery(id));
}

function deliveries(): string[] {
  stage.store.flush();
  return stage.look((log) => log.attempts({ appId: APP, limit: 100 })).map(({ deliveryId }) => deliveryId);
}

describe("a delivery that is asked for once more", () => {
  test("is made again, as another delivery of the same events", async () => {
    await play();
    const version = stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.take();
    const answer = await ask({ what: "delivery", deliveryId: deliveries()[0] ?? "" });
    expect(answer).toEqual({ state: "answered", events: 1, skipped: 0, skippedEvents: [] });
    expect(await stage.take()).toEqual([[`cache_miss ${FIRST}`]]);
    const [first, second] = stage.received;
    expect(second?.events).toEqual(first?.events ?? []);
    expect(second?.events[0]?.version).toBe(version);
    expect(second?.request.headers["X-Earshot-Delivery"]).not.toBe(
      first?.request.headers["X-Earshot-Delivery"],
    );
    expect(stage.progress().waiting).toBe(0);
  });

  test("leaves out, and lists, states that are superseded", async () => {
    await play();
    stage.outbox.commitsAtOnce = false;
    const version = stage.outbox.occupied(APP, FIRST);
    stage.outbox.memberAdded(APP, FIRST, "u-7");
    stage.outbox.occupied(APP, SECOND);
    stage.outbox.commit();
    await stage.take();
    stage.outbox.commitsAtOnce = true;
    stage.outbox.vacated(APP, FIRST);
    stage.outbox.memberRemoved(APP, FIRST, "u-7");
    await stage.take();
    const id = stage.received[0]?.request.headers["X-Earshot-Delivery"] ?? "";
    const reason = "superseded";
    expect(await ask({ what: "delivery", deliveryId: id })).toMatchObject({
      events: 1,
      skipped: 2,
      skippedEvents: [
        { eventId: `${APP}-${version}`, name: "channel_occupied", channel: FIRST, reason },
        { name: "member_added", channel: FIRST, userId: "u-7", reason },
      ],
    });
    expect(await stage.take()).toEqual([[`channel_occupied ${SECOND}`]]);
  });

  test("is refused where the log does not know it, or nobody the endpoint", async () => {
    await play();
    expect(await ask({ what: "delivery", deliveryId: "nothing" })).toEqual({
      state: "refused",
      problem:
        'The log holds no delivery "nothing" of endpoint e1: see "earshot webhooks deliveries", or ask for everything since a time.',
    });
    expect(await ask({ what: "dead" }, "e9")).toEqual({
      state: "refused",
      problem: 'App 4711 has no endpoint "e9": see "earshot webhooks list".',
    });
  });

  test("that still waits is tried at once", async () => {
    await play();
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(200_000, 1_000);
    stage.receiver = () => answered(200);
    const answer = await ask({ what: "delivery", deliveryId: deliveries()[0] ?? "" });
    expect(answer).toMatchObject({ events: 0, skipped: 1, skippedEvents: [{ reason: "waiting" }] });
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
  });

  test("is left out where the endpoint does not want it any more", async () => {
    await play();
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.take();
    stage.apps.put(draft(endpoint({ events: ["channel_occupied"] })));
    const answer = await ask({ what: "delivery", deliveryId: deliveries()[0] ?? "" });
    expect(answer).toMatchObject({ events: 0, skippedEvents: [{ name: "cache_miss", reason: "unwanted" }] });
  });
});

describe("everything since a time", () => {
  test("goes again in order of version, each event once", async () => {
    await play({ batch: false });
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(10_000, 1_000);
    const sinceMs = stage.clock.wallMs();
    stage.receiver = () => (stage.received.length % 2 === 0 ? UNREACHABLE : answered(200));
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.vacated(APP, FIRST);
    stage.outbox.announce(APP, { name: "cache_miss", channel: SECOND });
    await stage.pass(10_000, 1_000);
    stage.receiver = () => answered(200);
    expect(await ask({ what: "since", sinceMs })).toMatchObject({ events: 2, skipped: 1 });
    expect(await stage.take()).toEqual([[`channel_vacated ${FIRST}`], [`cache_miss ${SECOND}`]]);
  });

  test("holds what the outbox still has although the log has it no more, and dead letters", async () => {
    await play({}, { giveUpMs: 30_000 });
    const sinceMs = stage.clock.wallMs();
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.take();
    stage.store.write((tables) => void tables.attempts.deleteOldest(1, 10));
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: ELSEWHERE });
    await stage.pass(31_000);
    stage.receiver = () => answered(200);
    expect(await ask({ what: "since", sinceMs })).toMatchObject({ events: 2, skipped: 0 });
    expect(await stage.take()).toEqual([[`cache_miss ${FIRST}`], [`cache_miss ${ELSEWHERE}`]]);
  });

  test("leaves out what came before", async () => {
    await play();
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(1_000);
    expect(await ask({ what: "since", sinceMs: stage.clock.wallMs() })).toMatchObject({
      events: 0,
      skipped: 0,
    });
  });
});

describe("dead letters that are asked for", () => {
  test("are dead no more once they arrive", async () => {
    await play({}, { giveUpMs: 30_000 });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(31_000);
    expect(stage.progress().deadLetters).toBe(1);
    expect(await ask({ what: "dead" })).toMatchObject({ events: 1 });
    expect(stage.progress()).toMatchObject({ deadLetters: 1, waiting: 1 });
    stage.receiver = () => answered(200);
    await stage.pass(60_000, 1_000);
    stage.store.flush();
    expect(stage.progress()).toMatchObject({ deadLetters: 0, waiting: 0 });
    expect(stage.look((log) => log.deadLetters({ appId: APP, limit: 10 }))).toEqual([]);
  });

  test("stay dead letters, once, where they die again", async () => {
    await play({}, { giveUpMs: 30_000 });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(31_000);
    await ask({ what: "dead" });
    await stage.pass(40_000);
    expect(stage.progress()).toMatchObject({ deadLetters: 1, waiting: 0 });
  });

  test("that are superseded are dropped, and listed", async () => {
    await play({}, { giveUpMs: 30_000, retryMaxMs: 5_000 });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(31_000);
    stage.receiver = () => answered(200);
    stage.outbox.vacated(APP, FIRST);
    await stage.pass(1_000);
    expect(stage.progress().deadLetters).toBe(1);
    expect(await ask({ what: "dead" })).toMatchObject({
      events: 0,
      skippedEvents: [{ reason: "superseded" }],
    });
    expect(stage.progress().deadLetters).toBe(0);
  });

  test("since a time are those that died since then, and superseded ones are dropped and listed", async () => {
    await play({}, { giveUpMs: 30_000, retryMaxMs: 5_000 });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(31_000);
    const sinceMs = stage.clock.wallMs();
    stage.outbox.announce(APP, { name: "cache_miss", channel: SECOND });
    stage.outbox.occupied(APP, ELSEWHERE);
    await stage.pass(31_000);
    expect(stage.progress().deadLetters).toBe(3);
    stage.receiver = () => answered(200);
    stage.outbox.vacated(APP, ELSEWHERE);
    await stage.pass(1_000);
    await stage.take();
    expect(await ask({ what: "dead", sinceMs })).toMatchObject({
      events: 1,
      skipped: 1,
      skippedEvents: [{ name: "channel_occupied", channel: ELSEWHERE, reason: "superseded" }],
    });
    expect(await stage.take()).toEqual([[`cache_miss ${SECOND}`]]);
    expect(stage.progress().deadLetters).toBe(1);
  });

  test("go again over a restart", async () => {
    await play({}, { giveUpMs: 30_000 });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(31_000);
    await ask({ what: "dead" });
    stage.kill();
    stage.receiver = () => answered(200);
    await stage.take();
    await stage.start();
    await stage.pass(1_000);
    expect(await stage.take()).toEqual([[`cache_miss ${FIRST}`]]);
    expect(stage.progress()).toMatchObject({ deadLetters: 0, waiting: 0 });
  });
});

test("a wish that no server was there for is granted by the next one", async () => {
  await play();
  stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
  await stage.take();
  const deliveryId = deliveries()[0] ?? "";
  await stage.stop();
  const target = { appId: APP, endpointId: "e1" };
  const id = stage.look((log) => log.requestRedelivery(target, { what: "delivery", deliveryId }, 1));
  await stage.start();
  await stage.pass(1_000);
  expect(stage.look((log) => log.redelivery(id))).toMatchObject({ state: "answered", events: 1 });
  expect(await stage.take()).toEqual([[`cache_miss ${FIRST}`]]);
});

test("a wish can be withdrawn while nobody has looked at it", async () => {
  await play();
  await stage.stop();
  const target = { appId: APP, endpointId: "e1" };
  const id = stage.look((log) => log.requestRedelivery(target, { what: "dead" }, 1));
  stage.look((log) => log.withdraw(id));
  expect(stage.look((log) => log.redelivery(id))).toBeUndefined();
  await stage.start();
});
