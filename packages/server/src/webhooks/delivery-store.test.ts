import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualAlarm } from "#core/testing/manual-alarm";
import { ManualClock } from "#core/testing/manual-clock";
import { ATTEMPT_BOUNDS } from "./attempt-buffer.ts";
import type { AttemptRow } from "./attempt-table.ts";
import { DeliveryFileProblem } from "./delivery-file.ts";
import { DeliveryLog } from "./delivery-log.ts";
import { DeliveryStore } from "./delivery-store.ts";
import { KeptLog } from "./testing/stage.ts";

const BOUNDS = { ...ATTEMPT_BOUNDS, unwritten: 5, kept: 10, forgottenAtOnce: 4 };

let folder: string;
let file: string;
let clock: ManualClock;
let alarm: ManualAlarm;
let log: KeptLog;
let store: DeliveryStore;
let key: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-deliveries-"));
  file = join(folder, "deliveries.db");
  clock = new ManualClock();
  alarm = new ManualAlarm(clock);
  log = new KeptLog();
  store = new DeliveryStore({ file, later: alarm.later, log, bounds: BOUNDS });
  store.write((tables) => {
    key = tables.endpoints.add("4711", "e1", "shape");
    tables.endpoints.set(key, "shape", "ready");
  });
});

afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function attempt(deliveryId: string, over: Partial<AttemptRow> = {}): AttemptRow {
  return {
    deliveryId,
    attempt: 1,
    atMs: clock.wallMs(),
    versions: [1, 2],
    signingKey: "key",
    request: "{}",
    outcome: { answered: true, status: 200, response: "ok" },
    durationMs: 5,
    ...over,
  };
}

/** What another process sees. */
function logged(): string[] {
  const other = DeliveryLog.open(file);
  const ids = other?.attempts({ appId: "4711", limit: 100 }).map(({ deliveryId }) => deliveryId);
  other?.close();
  return ids ?? [];
}

test("writes together, 50 ms after the first change", () => {
  store.attempted(key, attempt("a"));
  alarm.advance(49);
  store.attempted(key, attempt("b"));
  expect(logged()).toEqual([]);
  alarm.advance(1);
  expect(logged()).toEqual(["b", "a"]);
});

test("keeps a lane's last word, to the unit", () => {
  const row = { lane: 3, isOwedDue: false, hand: undefined };
  store.laneIs(key, { ...row, cursor: 1 });
  store.laneIs(key, { ...row, cursor: 1_790_000_000_123_457, isOwedDue: true, hand: "{}" });
  const [read] = store.read((tables) => tables.endpoints.lanes(key)) ?? [];
  expect(read).toEqual({ lane: 3, cursor: 1_790_000_000_123_457, isOwedDue: true, hand: "{}" });
});

test("tells what it did once it is done", () => {
  const done: number[] = [];
  let added = 0;
  for (const version of [1, 1, 2]) {
    store.soon(
      (tables) => {
        added = tables.owed.add(key, 0, { subject: "room", version: version }, 1) ? 1 : 0;
      },
      () => done.push(added),
    );
  }
  expect(done).toEqual([]);
  expect(store.read((tables) => tables.owed.first(key, 0, 10))).toEqual([{ subject: "room", version: 2 }]);
  expect(done).toHaveLength(3);
});

test("a step that fails leaves nothing behind of itself, and all of what waited", () => {
  store.attempted(key, attempt("a"));
  const isWritten = store.write((tables) => {
    tables.owed.add(key, 0, { subject: "room", version: 1 }, 1);
    throw new Error("no");
  });
  expect(isWritten).toBe(false);
  expect(store.read((tables) => tables.owed.sums(key))).toEqual([]);
  expect(logged()).toEqual(["a"]);
});

describe("while another process holds the file", () => {
  let other: Database;

  beforeEach(() => {
    other = new Database(file);
    other.run("BEGIN IMMEDIATE");
  });

  afterEach(() => other.close());

  test("nothing is lost but the oldest attempts, which are counted", () => {
    store.laneIs(key, { lane: 0, cursor: 5, isOwedDue: false, hand: undefined });
    for (let i = 0; i < 8; i++) store.attempted(key, attempt(`d${i}`));
    alarm.advance(1_000);
    store.laneIs(key, { lane: 0, cursor: 6, isOwedDue: false, hand: undefined });
    expect(store.write(() => undefined)).toBe(false);
    expect(store.read((tables) => tables.endpoints.lanes(key))).toBeUndefined();
    expect(store.droppedAttempts).toBe(3);
    other.run("COMMIT");
    alarm.advance(50);
    expect(logged()).toEqual(["d7", "d6", "d5", "d4", "d3"]);
    expect(store.read((tables) => tables.endpoints.lanes(key))).toMatchObject([{ cursor: 6 }]);
  });

  test("one line of the log says when it began, and one when it was over", () => {
    store.attempted(key, attempt("a"));
    alarm.advance(1_000);
    other.run("COMMIT");
    alarm.advance(1_000);
    expect(log.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      "error: the deliveries cannot be written down: webhooks go on, and may be repeated after a restart",
      "info: the deliveries are written down again",
    ]);
  });
});

describe("the log", () => {
  test("keeps the newest of each endpoint", () => {
    const second = store.read((tables) => tables.endpoints.add("4711", "e2", "")) ?? 0;
    store.attempted(second, attempt("other"));
    for (let i = 0; i < 30; i++) {
      store.attempted(key, attempt(`d${i}`));
      store.flush();
    }
    const left = logged();
    expect(left).toContain("other");
    expect(left.length).toBeLessThanOrEqual(11);
    expect(left[0]).toBe("d29");
    store.close();
    store = new DeliveryStore({ file, later: alarm.later, log, bounds: BOUNDS });
    for (let i = 30; i < 40; i++) store.attempted(key, attempt(`d${i}`));
    store.flush();
    expect(logged().length).toBeLessThanOrEqual(11); // what was there before is counted
  });

  test("keeps no more bytes than it may", () => {
    store.close();
    store = new DeliveryStore({ file, later: alarm.later, log, bounds: { ...BOUNDS, keptBytes: 10_000 } });
    for (let i = 0; i < 5; i++) store.attempted(key, attempt(`d${i}`, { request: "x".repeat(3_000) }));
    store.flush();
    expect(logged()).toEqual(["d4"]); // four go at a time
  });

  test("keeps nothing for longer than seven days", () => {
    store.attempted(key, attempt("old"));
    clock.advance(86_400_000);
    store.attempted(key, attempt("young"));
    expect(store.clean(clock.wallMs() + 6 * 86_400_000 + 1)).toBe(true);
    expect(logged()).toEqual(["young"]);
    expect(store.clean(clock.wallMs())).toBe(false);
  });
});

test("what is left of an endpoint that is gone is deleted in small steps", () => {
  store.write((tables) => {
    for (let i = 0; i < 1_200; i++) tables.owed.add(key, i % 16, { subject: `room-${i}`, version: i + 1 }, 1);
    tables.again.add(key, 0, { version: 1, event: "{}" }, 1);
    tables.endpoints.setGone(key);
  });
  let steps = 0;
  while (store.clean(clock.wallMs())) steps++;
  expect(steps).toBeGreaterThanOrEqual(4);
  const left = store.read((tables) => [
    tables.endpoints.all(),
    tables.owed.sums(key),
    tables.again.sums(key),
  ]);
  expect(left).toEqual([[], [], []]);
});

describe("the file", () => {
  test("is for its owner alone", () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("of a newer Earshot is not touched", () => {
    store.close();
    const db = new Database(file);
    db.run("PRAGMA user_version = 9");
    db.close();
    expect(() => new DeliveryStore({ file, later: alarm.later, log })).toThrow(
      `The file ${file} has format 9, this Earshot knows format 1: use the Earshot that wrote it, or a newer one.`,
    );
  });

  test("that is none is named", async () => {
    const wrong = join(folder, "wrong.db");
    await Bun.write(wrong, "this is no database, and long enough to be seen as none");
    expect(() => new DeliveryStore({ file: wrong, later: alarm.later, log })).toThrow(DeliveryFileProblem);
    expect(DeliveryLog.open(join(folder, "missing.db"))).toBeUndefined();
  });
});
