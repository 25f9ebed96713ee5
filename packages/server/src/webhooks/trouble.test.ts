import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import type { AttemptRow } from "./attempt-table.ts";
import { APP, answered, draft, endpoint, namesOfLane, Stage, UNREACHABLE } from "./testing/stage.ts";

const [FIRST, SECOND] = namesOfLane(3);

let stage: Stage;
let other: Database | undefined;
let recover: () => void;

beforeEach(async () => {
  stage = await new Stage(draft(endpoint()), { giveUpMs: 60_000 }).start();
});

afterEach(() => {
  other?.close();
  stage.end();
});

/** From now on `deliveries.db` cannot be written, until `recover` is called. */
const TROUBLES: Readonly<Record<string, () => void>> = {
  "held by another process": () => {
    const holder = new Database(stage.file);
    holder.run("BEGIN IMMEDIATE");
    other = holder;
    recover = () => holder.close();
  },
  "without room on its disk": () => {
    const connection = connectionOf(stage);
    connection.run("PRAGMA max_page_count = 1");
    stage.store.attempted(NOBODY, { ...ATTEMPT, request: "x".repeat(50_000) }); // waits, and lets nothing else fit
    expect(stage.store.flush()).toBe(false);
    recover = () => connection.run("PRAGMA max_page_count = 4294967294");
  },
};

const NOBODY = 999;
const ATTEMPT: AttemptRow = {
  deliveryId: "none",
  attempt: 1,
  atMs: Number.MAX_SAFE_INTEGER,
  versions: [],
  signingKey: "",
  request: "",
  outcome: { answered: true, status: 200, response: "" },
  durationMs: 1,
};

/** The connection on which the store writes. */
function connectionOf({ store }: Stage): Database {
  const watched = spyOn(Database.prototype, "transaction");
  store.write(() => undefined);
  const [connection] = watched.mock.contexts;
  watched.mockRestore();
  return connection as Database;
}

describe.each(Object.entries(TROUBLES))("a file of deliveries %s:", (_, begin) => {
  test("while the deliveries cannot be written, webhooks go on", async () => {
    begin();
    for (let i = 0; i < 30; i++) {
      stage.outbox.announce(APP, { name: "cache_miss", channel: `cache-${i % 3}` });
      await stage.pass(100);
    }
    expect(stage.progress()).toMatchObject({ delivered: 30, waiting: 0 });
    recover();
    await stage.pass(100);
    expect(stage.look((log) => log.attempts({ appId: APP, limit: 100 }))).toHaveLength(30);
    stage.kill();
    await stage.start();
    await stage.pass(1_000);
    expect(stage.received).toHaveLength(30); // nothing was repeated
  });

  test("what was delivered meanwhile is repeated after a crash, and nothing is left out", async () => {
    begin();
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.occupied(APP, SECOND);
    await stage.pass(20_000, 500);
    stage.kill();
    await stage.take();
    await stage.start();
    await stage.pass(100);
    expect((await stage.take()).flat()).toEqual([`channel_occupied ${FIRST}`, `channel_occupied ${SECOND}`]);
  });

  test("the outbox may not delete what is not known to be delivered", async () => {
    begin();
    const version = stage.outbox.occupied(APP, FIRST);
    await stage.pass(30_000, 500);
    expect(stage.outbox.trimmed.get(APP) ?? 0).toBeLessThan(version);
    recover();
    await stage.pass(11_000, 500);
    expect(stage.outbox.trimmed.get(APP)).toBe(version);
  });

  test("nothing dies that cannot be written down as dead", async () => {
    stage.receiver = () => UNREACHABLE;
    stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    await stage.pass(30_000);
    begin();
    await stage.pass(60_000, 500);
    expect(stage.progress()).toMatchObject({ waiting: 1, deadLetters: 0 });
    recover();
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
    begin();
    stage.receiver = () => answered(200);
    stage.outbox.occupied(APP, SECOND);
    await stage.pass(100);
    stage.outbox.vacated(APP, SECOND);
    await stage.pass(5_000);
    expect(await stage.take()).toEqual([[`channel_occupied ${SECOND}`], [`channel_vacated ${SECOND}`]]);
    recover();
    await stage.pass(2_000);
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
    expect(stage.progress()).toMatchObject({ waiting: 0, deadLetters: 0 });
  });

  test("an endpoint that is added meanwhile is told who is there once they can be written", async () => {
    stage.outbox.occupied(APP, FIRST);
    await stage.pass(1_000);
    begin();
    const second = endpoint({ id: "e2", url: "http://two.test" });
    stage.apps.put(draft(endpoint(), second));
    stage.outbox.occupied(APP, SECOND);
    await stage.pass(5_000);
    await stage.take();
    expect(stage.progress("e2").oldestWaitingMs).toBeDefined();
    recover();
    await stage.pass(2_000);
    const told = (await stage.take()).flat();
    expect(told).toEqual([`channel_occupied ${FIRST}`, `channel_occupied ${SECOND}`]);
    expect(stage.progress("e2")).toMatchObject({ waiting: 0, oldestWaitingMs: undefined });
  });
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
});
