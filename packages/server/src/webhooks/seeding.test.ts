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

/** An app without endpoints, in which something is going on. */
async function playWithout(): Promise<Stage> {
  stage = new Stage(draft());
  await stage.start();
  stage.outbox.occupied(APP, SECOND);
  stage.outbox.occupied(APP, FIRST);
  stage.outbox.memberAdded(APP, FIRST, "u-7");
  stage.outbox.occupied(APP, ELSEWHERE);
  stage.outbox.vacated(APP, ELSEWHERE);
  return stage;
}

async function put(...endpoints: Parameters<typeof endpoint>): Promise<void> {
  stage.apps.put(draft(endpoint(...endpoints)));
  await stage.pass(100, 10);
}

describe("an endpoint that is added", () => {
  test("is told who is there, in order of version, before anything that follows", async () => {
    await playWithout();
    const receiver = new HeldReceiver();
    stage.receiver = receiver.receive;
    await put();
    stage.outbox.vacated(APP, SECOND);
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    const seeds = [`channel_occupied ${SECOND}`, `channel_occupied ${FIRST}`, `member_added ${FIRST} u-7`];
    expect(await stage.take()).toEqual([seeds]);
    await receiver.answer();
    expect(await stage.take()).toEqual([[`channel_vacated ${SECOND}`, `cache_miss ${FIRST}`]]);
  });

  test("is told states under the versions that they have for everybody", async () => {
    await playWithout();
    await put();
    const versions = stage.received.flatMap(({ events }) => events.map(({ version }) => version));
    const present = stage.outbox.snapshot(APP, "", true).present.map(({ version }) => version);
    expect(versions).toEqual(present);
  });

  test("is told of what it wants only", async () => {
    await playWithout();
    await put({ events: ["member_added", "channel_vacated"], prefix: FIRST });
    expect(await stage.take()).toEqual([[`member_added ${FIRST} u-7`]]);
  });

  test("is told nothing of what happened before", async () => {
    await playWithout();
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await put({ events: ["cache_miss"] });
    await stage.pass(1_000);
    expect(await stage.take()).toEqual([]);
    expect(stage.progress()).toMatchObject({ waiting: 0, oldestWaitingMs: undefined });
  });

  test("does not hear of a state that has gone before its turn came", async () => {
    stage = new Stage(draft());
    await stage.start();
    for (let i = 0; i < 21; i++) stage.outbox.memberAdded(APP, FIRST, `u-${i}`);
    const receiver = new HeldReceiver();
    stage.receiver = receiver.receive;
    await put();
    stage.outbox.memberRemoved(APP, FIRST, "u-20");
    await receiver.answer();
    await stage.pass(100, 10);
    expect((await stage.take()).slice(1)).toEqual([[`member_removed ${FIRST} u-20`]]);
  });

  test("counts as behind until it is told", async () => {
    await playWithout();
    stage.receiver = () => UNREACHABLE;
    await put();
    expect(stage.progress()).toMatchObject({ waiting: 3, oldestWaitingMs: 1_700_000_000_000 });
    stage.receiver = () => answered(200);
    await stage.pass(1_000);
    expect(stage.progress()).toMatchObject({ waiting: 0, oldestWaitingMs: undefined });
  });

  test("is told everything although the process was killed meanwhile", async () => {
    stage = new Stage(draft());
    await stage.start();
    const names = Array.from({ length: 2_500 }, (_, index) => `channel-${index}`);
    for (const name of names) stage.outbox.occupied(APP, name);
    stage.receiver = () => UNREACHABLE;
    stage.apps.put(draft(endpoint()));
    await stage.take(); // the first thousand are written down
    stage.kill();
    stage.receiver = () => answered(200);
    await stage.start();
    await stage.until(() => stage.progress().waiting === 0);
    const told = new Set(stage.received.flatMap((one) => one.told));
    expect(told.size).toBe(2_500);
  });

  test("while it is disabled is told when it is enabled", async () => {
    await playWithout();
    await put({ enabled: false });
    stage.outbox.vacated(APP, SECOND);
    await stage.pass(1_000);
    expect(await stage.take()).toEqual([]);
    await put({ enabled: true });
    await stage.pass(1_000);
    expect(await stage.take()).toEqual([
      [`channel_occupied ${FIRST}`, `member_added ${FIRST} u-7`],
      [`channel_vacated ${SECOND}`],
    ]);
  });
});

describe("a disabled endpoint", () => {
  test("is told what it missed once it is enabled, after who was there all the time", async () => {
    await playWithout();
    await put();
    await stage.take();
    await put({ enabled: false });
    stage.outbox.occupied(APP, ELSEWHERE);
    stage.outbox.memberRemoved(APP, FIRST, "u-7");
    await stage.pass(60_000, 1_000);
    expect(await stage.take()).toEqual([]);
    expect(stage.progress()).toMatchObject({
      enabled: false,
      waiting: 2,
      oldestWaitingMs: 1_700_000_000_200,
    });
    await put();
    const told = (await stage.take()).map(String);
    expect(told.toSorted()).toEqual(
      [
        `channel_occupied ${SECOND},channel_occupied ${FIRST}`,
        `member_removed ${FIRST} u-7`,
        `channel_occupied ${ELSEWHERE}`,
      ].toSorted(),
    );
    expect(told.indexOf(`member_removed ${FIRST} u-7`)).toBeGreaterThan(0);
  });

  test("is known as one over a restart, also when it was enabled in between", async () => {
    await playWithout();
    await put();
    await put({ enabled: false });
    await stage.stop();
    stage.apps.put(draft(endpoint()));
    await stage.take();
    await stage.start();
    await stage.pass(1_000);
    expect(await stage.take()).toEqual([
      [`channel_occupied ${SECOND}`, `channel_occupied ${FIRST}`, `member_added ${FIRST} u-7`],
    ]);
  });

  test("lets what is under way come to its end", async () => {
    await playWithout();
    const receiver = new HeldReceiver();
    stage.receiver = receiver.receive;
    await put();
    await put({ enabled: false });
    await receiver.answer();
    await stage.pass(60_000, 1_000);
    expect(stage.progress()).toMatchObject({ waiting: 0, delivered: 3 });
  });
});

describe("an endpoint that is changed", () => {
  test("is told who is there where it leads elsewhere, or wants something else", async () => {
    await playWithout();
    await put();
    await stage.take();
    await put({ url: "http://new.test/" });
    expect(await stage.take()).toHaveLength(1);
    expect(stage.received.at(-1)?.request.url).toBe("http://new.test/");
    await put({ url: "http://new.test/", events: ["channel_occupied", "channel_vacated"] });
    expect(await stage.take()).toEqual([[`channel_occupied ${SECOND}`, `channel_occupied ${FIRST}`]]);
  });

  test("is told nothing again where only its headers or its batches change", async () => {
    await playWithout();
    await put();
    await stage.take();
    await put({ headers: { "X-Team": "blue" } });
    await put({ headers: { "X-Team": "blue" }, batch: false });
    await stage.pass(1_000);
    expect(await stage.take()).toEqual([]);
  });

  test("is tried at once, as if for the first time", async () => {
    stage = await new Stage(draft(endpoint())).start();
    stage.receiver = ({ request }) => (request.headers["X-Key"] === "right" ? answered(200) : answered(401));
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(100_000, 1_000);
    const before = stage.received.length;
    await put({ headers: { "X-Key": "right" } });
    expect(stage.received.length).toBe(before + 1);
    expect(stage.received.at(-1)?.request.headers["X-Earshot-Attempt"]).toBe("1");
    expect(stage.progress()).toMatchObject({ waiting: 0, delivered: 1 });
  });

  test("gets nothing any more that it no longer wants", async () => {
    stage = await new Stage(draft(endpoint())).start();
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(5_000);
    stage.receiver = () => answered(200);
    await stage.take();
    await put({ events: ["channel_occupied"] });
    await stage.pass(1_000);
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
    expect(stage.progress().waiting).toBe(0);
  });
});

describe("an endpoint that is removed", () => {
  test("gets nothing any more, and nothing is kept of it", async () => {
    await playWithout();
    stage.receiver = () => UNREACHABLE;
    await put();
    stage.apps.put(draft());
    const requests = stage.received.length;
    await stage.pass(60_000, 1_000);
    expect(stage.received.length).toBe(requests);
    expect(stage.webhooks.progress(APP)).toEqual([]);
    const left = stage.store.read((tables) => [
      tables.endpoints.all(),
      tables.endpoints.lanes(1),
      tables.owed.sums(1),
      tables.attempts.sums(),
    ]);
    expect(left).toEqual([[], [], [], []]);
  });

  test("while the server was down is forgotten at its start", async () => {
    await playWithout();
    await put();
    await stage.stop();
    stage.apps.put(draft());
    await stage.start();
    await stage.pass(11_000, 500);
    expect(stage.store.read((tables) => tables.endpoints.all())).toEqual([]);
  });

  test("with its app is forgotten with it, and so is the outbox of the app", async () => {
    await playWithout();
    await put();
    stage.apps.remove(APP);
    await stage.pass(11_000, 500);
    expect(stage.outbox.forgotten).toEqual([APP]);
    expect(stage.store.read((tables) => tables.endpoints.all())).toEqual([]);
  });

  test("can come back, as a new one", async () => {
    await playWithout();
    await put();
    await stage.take();
    stage.apps.put(draft());
    await put();
    expect(await stage.take()).toHaveLength(1);
    expect(stage.log.lines).toEqual([]);
  });
});
