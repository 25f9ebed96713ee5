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
const MINUTE_MS = 60_000;

let stage: Stage;

afterEach(() => stage.end());

async function play(over = {}, settings = {}): Promise<Stage> {
  stage = await new Stage(draft(endpoint(over)), settings).start();
  return stage;
}

function header(index: number, name: string): string | undefined {
  return stage.received.at(index)?.request.headers[name];
}

describe("after a restart", () => {
  test("what was delivered is not sent again", async () => {
    await play();
    stage.outbox.occupied(APP, FIRST);
    await stage.take();
    await stage.stop();
    await stage.start();
    await stage.pass(5_000);
    expect(await stage.take()).toEqual([]);
  });

  test("what was under way or waited is sent, also what was committed meanwhile", async () => {
    await play();
    stage.receiver = new HeldReceiver().receive;
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.occupied(APP, SECOND);
    await stage.take();
    stage.kill();
    stage.outbox.occupied(APP, ELSEWHERE);
    stage.receiver = () => answered(200);
    await stage.start();
    expect(await stage.take()).toEqual([
      [`channel_occupied ${FIRST}`, `channel_occupied ${SECOND}`],
      [`channel_occupied ${ELSEWHERE}`],
    ]);
  });

  test("an app that was deleted meanwhile is forgotten, and no other", async () => {
    await play();
    stage.apps.put({ ...draft(endpoint({ url: "http://other.test" })), id: "other" });
    stage.receiver = () => UNREACHABLE;
    for (const appId of [APP, "other"]) stage.outbox.occupied(appId, FIRST);
    await stage.pass(1_000);
    await stage.stop();
    stage.apps.remove("other");
    await stage.start();
    await stage.pass(1_000);
    expect(stage.outbox.forgotten).toEqual(["other"]);
    const left = () => stage.store.read((tables) => tables.endpoints.all().map(({ appId }) => appId));
    await stage.pass(20_000, 1_000);
    expect(left()).toEqual([APP]);
    expect(stage.progress().waiting).toBe(1);
  });

  test("what is kept of an app of which it is not certain that it is gone stays, and is taken up when it is there", async () => {
    await play();
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(1_000);
    await stage.stop();
    stage.apps.remove(APP);
    stage.apps.isGone = () => false;
    await stage.start();
    await stage.pass(20_000, 1_000);
    expect(stage.outbox.forgotten).toEqual([]);
    await stage.take();
    stage.receiver = () => answered(200);
    stage.apps.put(draft(endpoint()));
    await stage.pass(10_000, 1_000);
    expect(await stage.take()).toEqual([[`cache_miss ${FIRST}`]]);
  });

  test("where all apps are gone nothing is forgotten: it may be the wrong store", async () => {
    await play();
    stage.outbox.occupied(APP, FIRST);
    await stage.stop();
    stage.apps.remove(APP);
    stage.apps.put({ ...draft(), id: "other" });
    await stage.start();
    await stage.pass(11_000, 1_000);
    expect(stage.outbox.forgotten).toEqual([]);
  });

  test("a forgetting that fails is tried again", async () => {
    await play();
    stage.apps.put({ ...draft(), id: "other" });
    for (const appId of [APP, "other"]) stage.outbox.occupied(appId, FIRST);
    await stage.stop();
    stage.apps.remove(APP);
    const forget = stage.outbox.forget.bind(stage.outbox);
    let failures = 0;
    stage.outbox.forget = (appId) => {
      if (failures++ < 2) throw new Error("the disk is full");
      forget(appId);
    };
    await stage.start();
    await stage.pass(11_000, 1_000);
    expect(stage.outbox.forgotten).toEqual([APP]);
    expect(stage.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("an acknowledgement that was not written down costs a repetition, and no more", async () => {
    await play();
    stage.outbox.occupied(APP, FIRST);
    await stage.take();
    stage.kill(); // before the next flush
    await stage.start();
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
    expect(stage.received[1]?.events).toEqual(stage.received[0]?.events ?? []);
  });

  test("a delivery that failed goes on as it was: id, attempts, first attempt and events", async () => {
    await play();
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(20_000);
    const attempts = stage.received.length;
    stage.outbox.occupied(APP, SECOND);
    stage.kill();
    await stage.start();
    await stage.take();
    expect(stage.received.at(-1)?.told).toEqual([`channel_occupied ${FIRST}`]);
    expect(header(-1, "X-Earshot-Delivery")).toBe(header(0, "X-Earshot-Delivery"));
    expect(header(-1, "X-Earshot-Attempt")).toBe(String(attempts + 1));
    expect(header(-1, "X-Earshot-First-Attempt")).toBe("1700000000000");
  });

  test("a batch is not refused for longer because the process was killed every minute", async () => {
    await play();
    stage.receiver = () => answered(400);
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    for (let minute = 0; minute < 6; minute++) {
      await stage.pass(MINUTE_MS, 500);
      stage.kill();
      await stage.start();
    }
    expect(stage.progress()).toMatchObject({ deadLetters: 1, waiting: 0 });
  });

  test("events that go alone go on alone", async () => {
    await play();
    stage.receiver = ({ told }) => answered(told.includes(`cache_miss ${SECOND}`) ? 400 : 200);
    stage.outbox.commitsAtOnce = false;
    for (const channel of [FIRST, SECOND, FIRST]) stage.outbox.announce(APP, { name: "cache_miss", channel });
    stage.outbox.commit();
    const isAlone = () => stage.received.at(-1)?.told.length === 1;
    for (let waited = 0; !isAlone() && waited < 400; waited++) await stage.pass(1_000, 500);
    await stage.pass(500);
    stage.kill();
    await stage.start();
    await stage.pass(10_000);
    expect((await stage.take()).filter((told) => told.length === 1).map(String)).toEqual([
      `cache_miss ${FIRST}`,
      `cache_miss ${SECOND}`,
      `cache_miss ${SECOND}`,
      `cache_miss ${SECOND}`,
      `cache_miss ${FIRST}`,
    ]);
  });

  test("a clock that jumped gives nothing up", async () => {
    await play();
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(5_000);
    stage.clock.jump(86_400_000 * 30);
    await stage.pass(10 * MINUTE_MS, 1_000);
    stage.clock.jump(-86_400_000 * 60);
    await stage.pass(10 * MINUTE_MS, 1_000);
    expect(stage.progress()).toMatchObject({ deadLetters: 0, waiting: 1 });
    stage.receiver = () => answered(200);
    await stage.pass(6 * MINUTE_MS, 1_000);
    expect(stage.progress()).toMatchObject({ delivered: 1, waiting: 0 });
    expect(Math.abs((stage.received.at(-1)?.timeMs ?? 0) - stage.clock.wallMs())).toBeLessThan(7 * MINUTE_MS);
  });

  test("an endpoint whose deliveries do not fit the outbox is told all present states", async () => {
    await play();
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(1_000);
    await stage.stop();
    for (let i = 0; i < 3; i++) stage.outbox.occupied(APP, `channel-${i}`);
    stage.outbox.trim(APP, stage.outbox.position(APP)); // as if somebody had put an old deliveries.db in its place
    await stage.take();
    await stage.start();
    await stage.pass(1_000);
    const told = (await stage.take()).flat().toSorted();
    expect(told).toEqual(
      ["channel-0", "channel-1", "channel-2", FIRST].map((one) => `channel_occupied ${one}`),
    );
    expect(stage.log.lines.map(({ level }) => level)).toEqual(["warn"]);
  });
});

describe("the outbox", () => {
  test("may delete what every endpoint has got, and nothing else", async () => {
    await play();
    stage.receiver = ({ told }) =>
      told.includes(`channel_occupied ${SECOND}`) ? UNREACHABLE : answered(200);
    stage.outbox.occupied(APP, FIRST);
    const waiting = stage.outbox.occupied(APP, SECOND);
    stage.outbox.occupied(APP, ELSEWHERE);
    await stage.pass(11_000, 500);
    expect(stage.outbox.trimmed.get(APP)).toBeLessThan(waiting);
    expect(stage.outbox.entries(APP).map(({ version }) => version)).toContain(waiting);
    stage.receiver = () => answered(200);
    await stage.pass(21_000, 500);
    expect(stage.outbox.entries(APP)).toEqual([]);
  });

  test("is told so although idle lanes and unwanted events are in between", async () => {
    await play({ prefix: "none-" });
    for (let i = 0; i < 500; i++) stage.outbox.occupied(APP, `channel-${i}`);
    await stage.pass(11_000, 500);
    expect(stage.outbox.trimmed.get(APP)).toBe(stage.outbox.position(APP));
  });

  test("is told so where there are no endpoints at all", async () => {
    stage = await new Stage(draft()).start();
    const version = stage.outbox.occupied(APP, FIRST);
    await stage.pass(11_000, 500);
    expect(stage.outbox.trimmed.get(APP)).toBe(version);
  });

  test("keeps everything while an endpoint is disabled", async () => {
    await play({ enabled: false });
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(30_000, 500);
    expect(stage.outbox.entries(APP)).toHaveLength(1);
  });
});

describe("a stop", () => {
  test("waits for what is under way, and makes no more requests", async () => {
    await play();
    const receiver = new HeldReceiver();
    stage.receiver = receiver.receive;
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.occupied(APP, SECOND);
    await stage.take();
    const stopping = stage.stop();
    await receiver.answer();
    await stopping;
    expect(stage.received).toHaveLength(1);
    stage.receiver = () => answered(200);
    await stage.take();
    await stage.start();
    expect(await stage.take()).toEqual([[`channel_occupied ${SECOND}`]]);
  });

  test("does not wait for long", async () => {
    await play();
    stage.receiver = new HeldReceiver().receive;
    stage.outbox.occupied(APP, FIRST);
    const beganMs = stage.clock.monotonicMs();
    await stage.stop();
    expect(stage.clock.monotonicMs() - beganMs).toBeLessThan(2_200);
  });
});
