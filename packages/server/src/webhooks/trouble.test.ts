import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { APP, answered, draft, endpoint, namesOfLane, Stage, UNREACHABLE } from "./testing/stage.ts";

const [FIRST, SECOND] = namesOfLane(3);

let stage: Stage;
let other: Database;

beforeEach(async () => {
  stage = await new Stage(draft(endpoint()), { giveUpMs: 60_000 }).start();
});

afterEach(() => {
  other.close();
  stage.end();
});

/** Another process writes, and does not come to an end. */
function hold(): void {
  other = new Database(stage.file);
  other.run("BEGIN IMMEDIATE");
}

test("while the deliveries cannot be written, webhooks go on", async () => {
  hold();
  for (let i = 0; i < 30; i++) {
    stage.outbox.announce(APP, { name: "cache_miss", channel: `cache-${i % 3}` });
    await stage.pass(100);
  }
  expect(stage.progress()).toMatchObject({ delivered: 30, waiting: 0 });
  other.run("COMMIT");
  await stage.pass(100);
  expect(stage.look((log) => log.attempts({ appId: APP, limit: 100 }))).toHaveLength(30);
  stage.kill();
  await stage.start();
  await stage.pass(1_000);
  expect(stage.received).toHaveLength(30); // nothing was repeated
});

test("what was delivered meanwhile is repeated after a crash, and nothing is left out", async () => {
  hold();
  stage.outbox.occupied(APP, FIRST);
  stage.outbox.occupied(APP, SECOND);
  await stage.pass(20_000, 500);
  other.close();
  stage.kill();
  await stage.take();
  await stage.start();
  await stage.pass(100);
  expect((await stage.take()).flat()).toEqual([`channel_occupied ${FIRST}`, `channel_occupied ${SECOND}`]);
});

test("the outbox may not delete what is not known to be delivered", async () => {
  hold();
  const version = stage.outbox.occupied(APP, FIRST);
  await stage.pass(30_000, 500);
  expect(stage.outbox.trimmed.get(APP) ?? 0).toBeLessThan(version);
  other.run("COMMIT");
  await stage.pass(11_000, 500);
  expect(stage.outbox.trimmed.get(APP)).toBe(version);
});

test("nothing dies that cannot be written down as dead", async () => {
  stage.receiver = () => UNREACHABLE;
  stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
  await stage.pass(30_000);
  hold();
  await stage.pass(60_000, 500);
  expect(stage.progress()).toMatchObject({ waiting: 1, deadLetters: 0 });
  other.run("COMMIT");
  await stage.pass(120_000, 500);
  expect(stage.progress()).toMatchObject({ waiting: 0, deadLetters: 1 });
  expect(stage.look((log) => log.deadLetters({ appId: APP, limit: 10 }))).toHaveLength(1);
});

test("what is owed waits for the deliveries, what follows in the outbox does not", async () => {
  stage.receiver = () => UNREACHABLE;
  stage.outbox.occupied(APP, FIRST);
  await stage.pass(61_000, 500);
  expect(stage.progress().deadLetters).toBe(1);
  await stage.take();
  hold();
  stage.receiver = () => answered(200);
  stage.outbox.occupied(APP, SECOND);
  await stage.pass(100);
  stage.outbox.vacated(APP, SECOND);
  await stage.pass(5_000);
  expect(await stage.take()).toEqual([[`channel_occupied ${SECOND}`], [`channel_vacated ${SECOND}`]]);
  other.run("COMMIT");
  await stage.pass(2_000);
  expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
  expect(stage.progress()).toMatchObject({ waiting: 0, deadLetters: 0 });
});

test("an endpoint that is added meanwhile is told who is there once they can be written", async () => {
  stage.outbox.occupied(APP, FIRST);
  await stage.pass(1_000);
  hold();
  const second = endpoint({ id: "e2", url: "http://two.test" });
  stage.apps.put(draft(endpoint(), second));
  stage.outbox.occupied(APP, SECOND);
  await stage.pass(5_000);
  await stage.take();
  expect(stage.progress("e2").oldestWaitingMs).toBeDefined();
  other.run("COMMIT");
  await stage.pass(2_000);
  const told = (await stage.take()).flat();
  expect(told).toEqual([`channel_occupied ${FIRST}`, `channel_occupied ${SECOND}`]);
  expect(stage.progress("e2")).toMatchObject({ waiting: 0, oldestWaitingMs: undefined });
});

test("an outbox that cannot be read is asked again", async () => {
  await stage.stop();
  stage.outbox.occupied(APP, FIRST);
  const { read } = stage.outbox;
  stage.outbox.read = () => {
    throw new Error("disk I/O error");
  };
  await stage.start();
  await stage.pass(3_000);
  expect(await stage.take()).toEqual([]);
  stage.outbox.read = (query) => read.call(stage.outbox, query);
  await stage.pass(3_000);
  expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
  hold();
});
