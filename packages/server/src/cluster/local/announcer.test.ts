import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import type { OutboxEntry } from "#core/ports";
import { INSTANT_DISK } from "#core/testing/instant-disk";
import { ManualAlarm } from "#core/testing/manual-alarm";
import { ManualClock } from "#core/testing/manual-clock";
import { LocalAnnouncer } from "./announcer.ts";
import { Ledger, LedgerProblem } from "./ledger.ts";
import { LocalOccupancy } from "./occupancy.ts";

const APP = "4711";
const DELAY_MS = 3_000;
const SETTLE_MS = 10_000;

/** One life of a process on a data folder. */
class Life {
  readonly ledger: Ledger;
  readonly announcer: LocalAnnouncer;
  readonly occupancy: LocalOccupancy;
  readonly alarm: ManualAlarm;
  readonly entries: OutboxEntry[] = [];
  readonly troubles: unknown[] = [];
  recoveries = 0;
  /** Flushes that have not come back yet, while the disk is slow. */
  readonly flushes: ((problem: string | undefined) => void)[] = [];
  isDiskSlow = false;
  #sockets = 0;

  constructor(folder: string, clock: ManualClock, vacatedDelayMs = DELAY_MS) {
    this.alarm = new ManualAlarm(clock);
    const flush = (done: (problem: string | undefined) => void) => {
      if (this.isDiskSlow) this.flushes.push(done);
      else done(undefined);
    };
    this.ledger = new Ledger(join(folder, "outbox.db"), { ...INSTANT_DISK, flush });
    this.announcer = new LocalAnnouncer({
      ledger: this.ledger,
      clock,
      later: this.alarm.later,
      vacatedDelayMs,
      commitGapMs: 10,
      subscriptions: (appId, channel) => this.occupancy.counts(appId, channel).subscriptions,
      trouble: (problem) => this.troubles.push(problem),
      recovered: () => this.recoveries++,
    });
    this.occupancy = new LocalOccupancy(this.announcer);
    this.announcer.onCommitted((_, entries) => this.entries.push(...entries));
  }

  listen(): this {
    this.announcer.settleFor(SETTLE_MS);
    return this;
  }

  join(channel: string, userId?: string): void {
    const join = { appId: APP, channel, socketId: `1.${++this.#sockets}`, maxMembers: 100 };
    this.occupancy.join(userId === undefined ? join : { ...join, member: { userId, infoJson: "{}" } });
  }

  leave(channel: string, userId?: string): void {
    const leave = { appId: APP, channel, socketId: "1.1" };
    this.occupancy.leave(userId === undefined ? leave : { ...leave, userId });
  }

  stop(): void {
    this.announcer.beQuiet();
    this.announcer.stop();
    this.ledger.close();
  }

  /** As `kill -9` leaves it. */
  kill(): void {
    this.ledger.close();
  }

  /** Without fields that are not of interest here. */
  told(): string[] {
    return this.entries.map(({ event }) =>
      "user_id" in event
        ? `${event.name} ${event.channel} ${event.user_id}`
        : `${event.name} ${event.channel}`,
    );
  }
}

let folder = "";
let clock = new ManualClock();
let life: Life;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-outbox-"));
  clock = new ManualClock();
  life = new Life(folder, clock).listen();
  life.alarm.advance(SETTLE_MS);
});

afterEach(() => {
  life.kill();
  rmSync(folder, { recursive: true, force: true });
});

const next = () => {
  life = new Life(folder, clock).listen();
  return life;
};

test("announces a channel occupied at once, and vacant when it was empty for the delay", () => {
  life.join("news");
  life.alarm.advance(10);
  expect(life.told()).toEqual(["channel_occupied news"]);
  life.leave("news");
  life.alarm.advance(DELAY_MS - 1);
  expect(life.told()).toHaveLength(1);
  life.alarm.advance(1);
  expect(life.told()).toEqual(["channel_occupied news", "channel_vacated news"]);
});

test("dates an arrival from when it happened, and a departure from when it is announced", () => {
  const cameMs = clock.wallMs();
  life.join("news");
  life.alarm.advance(10);
  life.leave("news");
  life.alarm.advance(DELAY_MS);
  expect(life.entries.map(({ occurredMs }) => occurredMs)).toEqual([cameMs, clock.wallMs()]);
});

test("announces nothing when somebody comes back within the delay", () => {
  life.join("news");
  life.alarm.advance(10);
  for (let i = 0; i < 5; i++) {
    life.leave("news");
    life.alarm.advance(DELAY_MS - 1);
    life.join("news");
    life.alarm.advance(DELAY_MS);
  }
  expect(life.told()).toEqual(["channel_occupied news"]);
});

test("tells a channel before its members come, and after they have gone", () => {
  life.join("presence-room", "ann");
  life.join("presence-room", "ann");
  life.join("presence-room", "bob");
  life.alarm.advance(10);
  life.leave("presence-room", "ann");
  life.leave("presence-room", "bob");
  life.leave("presence-room", "ann");
  life.alarm.advance(DELAY_MS);
  expect(life.told()).toEqual([
    "channel_occupied presence-room",
    "member_added presence-room ann",
    "member_added presence-room bob",
    "member_removed presence-room bob",
    "member_removed presence-room ann",
    "channel_vacated presence-room",
  ]);
});

describe("a visit that is over before it could be announced", () => {
  test("is told all the same: first that somebody came, after the delay that nobody is there", () => {
    life.join("presence-room", "ann");
    life.leave("presence-room", "ann");
    life.alarm.advance(DELAY_MS - 1);
    expect(life.told()).toEqual(["channel_occupied presence-room", "member_added presence-room ann"]);
    life.alarm.advance(1);
    expect(life.told().slice(2)).toEqual([
      "member_removed presence-room ann",
      "channel_vacated presence-room",
    ]);
  });

  test("and of which there are many, is told once where somebody stays in the end", () => {
    for (let i = 0; i < 3; i++) {
      life.join("news");
      life.leave("news");
    }
    life.join("news");
    life.alarm.advance(DELAY_MS * 2);
    expect(life.told()).toEqual(["channel_occupied news"]);
  });

  test("is never told the wrong way round, however many wait", () => {
    const channels = Array.from({ length: 5_000 }, (_, index) => `c${index}`);
    const slow = new Life(mkdtempSync(join(folder, "slow-")), clock, 0).listen();
    slow.alarm.advance(SETTLE_MS);
    for (const channel of channels) slow.join(channel);
    for (const channel of channels) slow.leave(channel);
    slow.alarm.advance(1_000);
    const occupied = channels.map((channel) => `channel_occupied ${channel}`);
    const vacated = channels.map((channel) => `channel_vacated ${channel}`);
    expect(slow.told()).toEqual([...occupied, ...vacated]);
    slow.kill();
  });

  test("takes no memory while the outbox cannot be written, and is told again when it can", () => {
    const other = new Database(join(folder, "outbox.db"));
    other.run("BEGIN IMMEDIATE");
    life.join("before");
    life.leave("before");
    life.alarm.advance(10);
    life.join("meanwhile");
    life.leave("meanwhile");
    life.join("stays");
    other.run("ROLLBACK");
    other.close();
    life.alarm.advance(500);
    expect(life.told()).toEqual(["channel_occupied stays"]);
    life.join("after");
    life.leave("after");
    life.alarm.advance(DELAY_MS);
    expect(life.told().slice(1)).toEqual(["channel_occupied after", "channel_vacated after"]);
  });

  test("and that a planned stop cuts short, is left for the next process to end", () => {
    life.join("news");
    life.leave("news");
    life.stop();
    expect(life.told()).toEqual(["channel_occupied news"]);
    next();
    life.alarm.advance(SETTLE_MS);
    expect(life.told()).toEqual(["channel_vacated news"]);
  });
});

test("tells nobody of the protocol's own channels", () => {
  life.join("#server-to-user-7");
  life.alarm.advance(DELAY_MS);
  expect(life.told()).toEqual([]);
});

test("writes what happens within the gap in one commit, with versions that grow", () => {
  life.join("a");
  life.join("b");
  life.alarm.advance(0);
  life.join("c");
  life.alarm.advance(9);
  expect(life.told()).toHaveLength(2);
  life.alarm.advance(1);
  expect(life.told()).toHaveLength(3);
  const versions = life.entries.map(({ version }) => version);
  expect(versions).toEqual(versions.toSorted((a, b) => a - b));
  expect(new Set(versions).size).toBe(3);
  expect(life.announcer.position(APP)).toBe(versions[2] ?? 0);
});

test("a slow disk makes commits rarer", () => {
  const commit = life.ledger.commit.bind(life.ledger);
  life.ledger.commit = (records, wallMs) => {
    clock.advance(50);
    return commit(records, wallMs);
  };
  life.join("a");
  life.alarm.advance(0);
  life.join("b");
  life.alarm.advance(199);
  expect(life.told()).toEqual(["channel_occupied a"]);
  life.alarm.advance(1);
  expect(life.told()).toHaveLength(2);
});

test("a restart to which everybody comes back announces nothing", () => {
  life.join("news");
  life.join("presence-room", "ann");
  life.alarm.advance(10);
  life.kill();
  next();
  life.alarm.advance(SETTLE_MS - 1);
  life.join("news");
  life.join("presence-room", "ann");
  life.alarm.advance(60_000);
  expect(life.told()).toEqual([]);
});

test("a crash after which nobody comes back is told once the process has settled", () => {
  life.join("presence-room", "ann");
  life.alarm.advance(10);
  life.kill();
  next();
  life.alarm.advance(SETTLE_MS - 1);
  expect(life.told()).toEqual([]);
  life.alarm.advance(1);
  expect(life.told()).toEqual(["member_removed presence-room ann", "channel_vacated presence-room"]);
});

test("a process that does not listen yet announces nobody gone", () => {
  life.join("news");
  life.alarm.advance(10);
  life.kill();
  life = new Life(folder, clock);
  life.alarm.advance(3_600_000);
  expect(life.told()).toEqual([]);
});

test("a planned stop announces nobody gone, and leaves its mark for the next process, once", () => {
  life.join("news");
  life.alarm.advance(10);
  life.announcer.beQuiet();
  life.leave("news");
  life.alarm.advance(60_000);
  life.stop();
  expect(life.told()).toEqual(["channel_occupied news"]);
  next();
  expect(life.ledger.takePlannedStop()).toBe(true);
  expect(life.ledger.takePlannedStop()).toBe(false);
  life.alarm.advance(SETTLE_MS);
  expect(life.told()).toEqual(["channel_vacated news"]);
});

test("a planned stop still writes who has just come", () => {
  life.join("a");
  life.alarm.advance(0);
  life.join("b");
  life.stop();
  expect(life.told()).toEqual(["channel_occupied a", "channel_occupied b"]);
});

test("a mark that cannot be taken away is told in one line", () => {
  const other = new Database(join(folder, "outbox.db"));
  other.run("BEGIN IMMEDIATE");
  expect(() => life.ledger.takePlannedStop()).toThrow(LedgerProblem);
  other.close();
});

test("versions go on after a restart, also when the wall clock was set back", () => {
  life.join("a");
  life.alarm.advance(10);
  const before = life.announcer.position(APP);
  life.kill();
  clock = new ManualClock();
  next();
  life.join("b");
  life.alarm.advance(10);
  expect(before + 1).toBeGreaterThan(clock.wallMs() * 1_000);
  expect(life.announcer.position(APP)).toBe(before + 1);
});

test("while the outbox is locked everything waits; then what still differs is told", () => {
  const other = new Database(join(folder, "outbox.db"));
  other.run("BEGIN IMMEDIATE");
  life.join("a");
  life.join("b");
  life.announcer.append(APP, { name: "cache_miss", channel: "cache-a" });
  life.alarm.advance(10);
  life.leave("b");
  life.alarm.advance(60_000);
  expect(life.told()).toEqual([]);
  expect(life.troubles).toHaveLength(1);
  expect(life.announcer.health.problem).toContain("locked");
  other.run("ROLLBACK");
  other.close();
  life.alarm.advance(500);
  expect(life.told()).toEqual(["channel_occupied a", "cache_miss cache-a"]);
  expect(life.recoveries).toBe(1);
  expect(life.announcer.health).toEqual({ held: 0, dropped: 0, problem: undefined });
});

test("while the disk is full everything waits; when there is room, what still differs is told, in order", () => {
  life.join("early", "ann");
  life.alarm.advance(10);
  const disk = diskOf(life);
  disk.isFull(true);
  const channels = Array.from({ length: 200 }, (_, index) => `c${index}`);
  for (const channel of channels) life.join(channel);
  life.announcer.append(APP, { name: "cache_miss", channel: "cache-a" });
  life.leave("early", "ann");
  life.alarm.advance(10);
  for (const channel of channels) {
    life.join(`passing-${channel}`);
    life.leave(`passing-${channel}`);
  }
  life.leave("c0");
  life.alarm.advance(60_000);
  expect(life.told()).toEqual(["channel_occupied early", "member_added early ann"]);
  expect(life.announcer.health).toMatchObject({ held: 1, problem: "database or disk is full" });
  expect(life.troubles).toHaveLength(1);
  disk.isFull(false);
  life.alarm.advance(500);
  expect(life.told().slice(2)).toEqual([
    ...channels.slice(1).map((channel) => `channel_occupied ${channel}`),
    "cache_miss cache-a",
    "member_removed early ann",
    "channel_vacated early",
  ]);
  expect(life.recoveries).toBe(1);
  expect(life.announcer.health).toEqual({ held: 0, dropped: 0, problem: undefined });
  life.join("after");
  life.leave("after");
  life.alarm.advance(DELAY_MS);
  expect(life.told().slice(-2)).toEqual(["channel_occupied after", "channel_vacated after"]);
});

/** The file may not grow by a page, or may again: SQLite then says SQLITE_FULL, as on a disk without room. */
function diskOf({ ledger }: Life): { isFull(isFull: boolean): void } {
  const watched = spyOn(Database.prototype, "query");
  ledger.remembered();
  const [connection] = watched.mock.contexts;
  watched.mockRestore();
  return {
    isFull: (isFull) => (connection as Database).run(`PRAGMA max_page_count = ${isFull ? 1 : 4_294_967_294}`),
  };
}

test("what could not be written and has become needless meanwhile does not keep the outbox from going on", () => {
  const other = new Database(join(folder, "outbox.db"));
  other.run("BEGIN IMMEDIATE");
  life.join("a");
  life.alarm.advance(10);
  life.leave("a");
  other.run("ROLLBACK");
  other.close();
  life.alarm.advance(500);
  expect(life.announcer.health.problem).toBeUndefined();
  life.join("b");
  life.alarm.advance(10);
  expect(life.told()).toEqual(["channel_occupied b"]);
});

describe("while the disk is waited for", () => {
  beforeEach(() => {
    life.isDiskSlow = true;
    life.join("news");
    life.alarm.advance(10);
  });

  const comesBack = (problem?: string) => life.flushes.shift()?.(problem);

  test("nobody is told what a power failure could take", () => {
    const seen = () => [
      life.told(),
      life.announcer.read({ appId: APP, after: 0, limit: 10 }),
      life.announcer.snapshot(APP, "", true).present,
      life.announcer.announced(APP, "news") ?? [],
    ];
    expect(seen()).toEqual([[], [], [], []]);
    comesBack();
    expect(seen().map((what) => (Array.isArray(what) ? what.length : 1))).toEqual([1, 1, 1, 1]);
  });

  test("what happens is the next group, in order", () => {
    life.leave("news");
    life.join("more");
    life.alarm.advance(DELAY_MS);
    expect(life.flushes).toHaveLength(1);
    comesBack();
    life.alarm.advance(0);
    comesBack();
    expect(life.told()).toEqual(["channel_occupied news", "channel_occupied more", "channel_vacated news"]);
  });

  test("somebody who comes back is not lost", () => {
    comesBack();
    life.leave("news");
    life.alarm.advance(DELAY_MS);
    life.join("news");
    comesBack();
    life.alarm.advance(10);
    comesBack();
    expect(life.told()).toEqual(["channel_occupied news", "channel_vacated news", "channel_occupied news"]);
  });

  test("and fails, readiness says so, and it is tried again until it is known to be durable", () => {
    comesBack("EIO: i/o error, fdatasync");
    expect(life.announcer.health.problem).toBe("EIO: i/o error, fdatasync");
    expect(life.troubles).toHaveLength(1);
    life.alarm.advance(500);
    expect(life.told()).toEqual([]);
    comesBack();
    expect(life.told()).toEqual(["channel_occupied news"]);
    expect(life.recoveries).toBe(1);
    expect(life.announcer.health.problem).toBeUndefined();
  });

  test("and it does not answer, readiness says so until it does", () => {
    life.alarm.advance(1_900);
    expect(life.announcer.health.problem).toBeUndefined();
    life.alarm.advance(100);
    expect(life.announcer.health.problem).toBe("the disk has not answered for 2000 ms");
    life.join("meanwhile");
    life.alarm.advance(60_000);
    expect(life.troubles).toHaveLength(1);
    comesBack();
    expect(life.recoveries).toBe(1);
    life.alarm.advance(0);
    comesBack();
    expect(life.told()).toEqual(["channel_occupied news", "channel_occupied meanwhile"]);
  });

  test("and fails, and the app is deleted, the others are not held up by it", async () => {
    comesBack("EIO: i/o error, fdatasync");
    await life.announcer.forget(APP);
    life.alarm.advance(5_000);
    expect(life.announcer.health.problem).toBeUndefined();
    expect(life.announcer.lagMs()).toBe(0);
  });

  test("and the process is killed, the next one tells it", () => {
    life.kill();
    next();
    expect(life.announcer.read({ appId: APP, after: 0, limit: 10 })).toMatchObject([
      { event: { name: "channel_occupied", channel: "news" } },
    ]);
    life.alarm.advance(SETTLE_MS);
    expect(life.told()).toEqual(["channel_vacated news"]);
  });

  test("and the process is stopped, it is waited for on the spot", () => {
    life.stop();
    expect(life.told()).toEqual(["channel_occupied news"]);
    comesBack();
    expect(life.told()).toHaveLength(1);
    next();
  });

  test("and the app is deleted, nothing of it is told", async () => {
    life.alarm.advance(0);
    await life.announcer.forget(APP);
    comesBack();
    expect(life.told()).toEqual([]);
    expect(life.announcer.snapshot(APP, "", true).present).toEqual([]);
    expect(life.announcer.remembered()).toEqual([]);
  });
});

test("says for how long somebody who came has not been announced", () => {
  life.isDiskSlow = true;
  expect(life.announcer.lagMs()).toBe(0);
  life.join("news");
  life.alarm.advance(100);
  life.join("more");
  life.alarm.advance(400);
  expect(life.announcer.lagMs()).toBe(500);
  life.flushes.shift()?.(undefined);
  expect(life.announcer.lagMs()).toBe(400);
  life.alarm.advance(0);
  life.flushes.shift()?.(undefined);
  expect(life.announcer.lagMs()).toBe(0);
  life.leave("news");
  life.alarm.advance(DELAY_MS);
  expect(life.announcer.lagMs()).toBe(0);
  const other = new Database(join(folder, "outbox.db"));
  life.flushes.shift()?.(undefined);
  other.run("BEGIN IMMEDIATE");
  life.join("last");
  life.alarm.advance(2_000);
  expect(life.announcer.lagMs()).toBe(2_000);
  other.run("ROLLBACK");
  other.close();
});

test("holds 10,000 events of an app while they cannot be written, drops those beyond, and says how many", () => {
  const other = new Database(join(folder, "outbox.db"));
  other.run("BEGIN IMMEDIATE");
  const kept = Array.from({ length: 10_005 }, () =>
    life.announcer.append(APP, { name: "cache_miss", channel: "cache-a" }),
  );
  expect(kept.filter((isKept) => !isKept)).toHaveLength(5);
  expect(life.announcer.append("another", { name: "cache_miss", channel: "cache-a" })).toBe(true);
  expect(life.announcer.health).toMatchObject({ held: 10_001, dropped: 5 });
  other.run("ROLLBACK");
  other.close();
  life.alarm.advance(1_000);
  expect(life.told()).toHaveLength(10_001);
});

test("a snapshot is a cut: what is at or below its position, in order of version", () => {
  for (const channel of ["a", "b", "presence-c"])
    life.join(channel, channel === "presence-c" ? "ann" : undefined);
  life.alarm.advance(10);
  life.leave("a");
  life.alarm.advance(DELAY_MS);
  life.join("a");
  life.alarm.advance(10);
  life.join("d"); // not committed yet
  const { position, present } = life.announcer.snapshot(APP, "", false);
  expect(present.map(({ channel }) => channel)).toEqual(["b", "presence-c", "a"]);
  expect(present.at(-1)?.version).toBe(position);
  expect(life.announcer.snapshot(APP, "pres", true).present.map(({ userId }) => userId)).toEqual([
    undefined,
    "ann",
  ]);
});

test("knows what a channel was announced as, also vacant ones", () => {
  life.join("a");
  life.alarm.advance(10);
  expect(life.announcer.announced(APP, "a")).toMatchObject({ isPresent: true, subscriptions: 1 });
  life.leave("a");
  life.alarm.advance(DELAY_MS);
  expect(life.announcer.announced(APP, "a")).toMatchObject({
    isPresent: false,
    version: life.announcer.position(APP),
  });
  expect(life.announcer.announced(APP, "b")).toBeUndefined();
});

test("reads entries by lane and position, and trims those that nobody waits for", async () => {
  for (let i = 0; i < 50; i++) life.join(`c${i}`);
  life.alarm.advance(10);
  const all = life.announcer.read({ appId: APP, after: 0, limit: 100 });
  expect(all).toEqual(life.entries);
  const byLane = Array.from({ length: 16 }, (_, lane) =>
    life.announcer.read({ appId: APP, after: 0, limit: 100, lane }),
  );
  expect(byLane.flat().toSorted((a, b) => a.version - b.version)).toEqual([...all]);
  await life.announcer.trim(APP, all[9]?.version ?? 0);
  expect(life.announcer.horizon(APP)).toBe(0); // young entries stay for streams that resume
  clock.advance(600_001);
  await life.announcer.trim(APP, all[9]?.version ?? 0);
  expect(life.announcer.horizon(APP)).toBe(all[9]?.version ?? 0);
  expect(life.announcer.read({ appId: APP, after: 0, limit: 100 })).toEqual(all.slice(10));
});

test("a forgotten app leaves nothing but its counter", async () => {
  life.join("a");
  life.alarm.advance(10);
  const position = life.announcer.position(APP);
  void life.announcer.forget(APP);
  life.leave("a");
  life.alarm.advance(60_000);
  expect(life.told()).toEqual(["channel_occupied a"]);
  expect(life.announcer.snapshot(APP, "", true)).toEqual({ position, present: [] });
  expect(life.announcer.read({ appId: APP, after: 0, limit: 10 })).toEqual([]);
});

test("what is left of an app is remembered over a restart, forgotten in steps, and its versions go on", async () => {
  for (let i = 0; i < 4_500; i++) life.join(`c${i}`);
  life.alarm.advance(1_000);
  const position = life.announcer.position(APP);
  life.kill();
  next();
  expect(life.announcer.remembered()).toEqual([APP]);
  const forgetting = life.announcer.forget(APP);
  expect(life.announcer.snapshot(APP, "", true)).toEqual({ position, present: [] });
  expect(life.announcer.horizon(APP)).toBe(position);
  life.join("news"); // an app of the same id is there again
  life.alarm.advance(10);
  for (let i = 0; i < 10; i++) {
    await Promise.resolve();
    life.alarm.advance(100);
  }
  await forgetting;
  expect(life.announcer.read({ appId: APP, after: 0, limit: 10 })).toEqual(life.entries);
  expect(life.told()).toEqual(["channel_occupied news"]);
  expect(life.entries[0]?.version).toBeGreaterThan(position);
  life.kill();
  next();
  expect(life.announcer.snapshot(APP, "", true).present).toMatchObject([{ channel: "news" }]);
});

test("a file of a newer version, or that is none of ours, is told in one line", () => {
  life.kill();
  const file = join(folder, "outbox.db");
  const db = new Database(file);
  db.run("PRAGMA user_version = 99");
  db.close();
  expect(() => new Ledger(file, INSTANT_DISK)).toThrow(LedgerProblem);
  expect(() => new Ledger(join(folder, "missing", "outbox.db"), INSTANT_DISK)).toThrow("cannot be used");
  const again = new Database(file);
  again.run("PRAGMA user_version = 1");
  again.close();
  next();
});

test("whatever happens, what was told equals what is true when all has settled", async () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant("join"), channel: fc.integer({ min: 0, max: 3 }) }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant("leave"), channel: fc.integer({ min: 0, max: 3 }) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant("wait"), channel: fc.integer({ min: 0, max: 4_000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("kill", "stop"), channel: fc.constant(0) }) },
  );
  await fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const own = mkdtempSync(join(tmpdir(), "earshot-outbox-"));
      const time = new ManualClock();
      const told: OutboxEntry[] = [];
      let now = new Life(own, time).listen();
      let here: number[] = [0, 0, 0, 0];
      for (const { do: action, channel } of steps) {
        const count = here[channel] ?? 0;
        if (action === "join") now.join(`c${channel}`);
        if (action === "leave" && count > 0) now.leave(`c${channel}`);
        if (action === "join") here[channel] = count + 1;
        if (action === "leave" && count > 0) here[channel] = count - 1;
        if (action === "wait") now.alarm.advance(channel);
        if (action !== "kill" && action !== "stop") continue;
        if (action === "kill") now.kill();
        else now.stop();
        told.push(...now.entries);
        now = new Life(own, time).listen();
        here = [0, 0, 0, 0];
      }
      now.alarm.advance(SETTLE_MS + DELAY_MS);
      told.push(...now.entries);
      const state = new Map(told.map(({ event }) => [event.channel, event.name === "channel_occupied"]));
      for (const [channel, count] of here.entries())
        expect(state.get(`c${channel}`) ?? false).toBe(count > 0);
      for (let i = 0; i < 4; i++) {
        const names = told.filter(({ event }) => event.channel === `c${i}`).map(({ event }) => event.name);
        for (const [at, name] of names.entries())
          expect(name).toBe(at % 2 === 0 ? "channel_occupied" : "channel_vacated");
      }
      const versions = told.map(({ version }) => version);
      expect(versions).toEqual(versions.toSorted((a, b) => a - b));
      now.kill();
      rmSync(own, { recursive: true, force: true });
    }),
    { numRuns: 60 },
  );
});
