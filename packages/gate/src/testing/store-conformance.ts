import { expect, test } from "bun:test";
import type { Change } from "../change.ts";
import { type Settings, settingsFor } from "../settings.ts";
import type { Next, Store, StoreContext } from "../store.ts";
import { ManualTime } from "./manual-time.ts";

/** Opens an empty store; called again with the same `place`, another worker's view of the same one. */
export type OpenStore = (context: StoreContext, place: string) => Store;

let places = 0;

export class StoreWorld {
  readonly time = new ManualTime();
  /** Whether the workers have somebody to tell of arrivals. */
  announces = false;
  readonly settings: Settings;
  readonly store: Store;
  readonly #open: () => Store;

  constructor(open: OpenStore, bounds: Parameters<typeof settingsFor>[1] = {}) {
    places++;
    const place = `place-${places}`;
    this.settings = settingsFor(5_000, bounds);
    this.#open = () =>
      open(
        { settings: this.settings, time: this.time, isTrusted: false, announces: () => this.announces },
        place,
      );
    this.store = this.#open();
  }

  /** Another worker's view, where the store can be shared. */
  another(): Store {
    return this.#open();
  }

  /** The server's clock, which is a minute ahead of everybody else's. */
  serverMs(): number {
    return this.time.wallMs() + 60_000;
  }

  proof(): { askedMs: number; serverOffsetMs: number } {
    return { askedMs: this.time.monotonicMs(), serverOffsetMs: this.serverMs() - this.time.monotonicMs() };
  }

  async becomeFresh(store = this.store): Promise<void> {
    await store.tick();
    const repair = await store.beginRepair();
    expect(await store.beat({ ...this.proof(), repair })).toBe(true);
  }

  occupied(channel: string, version: number, ago = 0): Change {
    return { channel, isOccupied: true, version, occurredMs: this.serverMs() - ago };
  }

  vacated(channel: string, version: number): Change {
    return { channel, isOccupied: false, version, occurredMs: this.serverMs() };
  }

  /** Drains a channel and says what came out: texts, and "occupied" where watchers arrived. */
  async drain(channel: string, store = this.store): Promise<string[]> {
    const out: string[] = [];
    let next: Next = await store.next(channel);
    while (next.kind === "message" || next.kind === "occupied") {
      out.push(next.kind === "message" ? next.text : "occupied");
      next = await store.next(channel, { id: next.id, isSent: true });
    }
    expect(next.kind).toBe("over");
    return out;
  }
}

async function states(store: Store, channel: string, ...texts: string[]): Promise<string[]> {
  const seen: string[] = [];
  for (const text of texts) seen.push((await store.offer(channel, text)).state);
  return seen;
}

/** What every store must do; `isShared` where several workers can have one. */
export function storeConformance(open: OpenStore, isShared: boolean, run: typeof test = test): void {
  run("everything passes before the first snapshot was applied", async () => {
    const { store } = new StoreWorld(open);
    expect(await states(store, "a", "1")).toEqual(["unknown"]);
    expect((await store.tick()).isFresh).toBe(false);
    expect(await store.beat({ askedMs: 0, serverOffsetMs: 0 })).toBe(false);
    expect(await states(store, "a", "2")).toEqual(["unknown"]);
  });

  run("a fresh store keeps for an absent channel and lets pass for a member", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    expect(await states(world.store, "a", "1")).toEqual(["absent"]);
    expect(await world.store.apply([world.occupied("b", 5)])).toEqual([]);
    expect(await states(world.store, "b", "1")).toEqual(["member"]);
    expect(await world.store.apply([world.vacated("b", 6)])).toEqual([]);
    expect(await states(world.store, "b", "2")).toEqual(["absent"]);
    expect((await world.store.tick()).isFresh).toBe(true);
  });

  run("what was kept goes out in order, then the arrival, then what came meanwhile", async () => {
    const world = new StoreWorld(open);
    world.announces = true;
    await world.becomeFresh();
    await states(world.store, "a", "1", "2", '3|x\n"ü"');
    expect(await world.store.apply([world.occupied("a", 5)])).toEqual(["a"]);
    expect(await world.store.offer("a", "4")).toMatchObject({
      state: "draining",
      waiting: 5,
      isUnknown: false,
    });
    expect(await world.drain("a")).toEqual(["1", "2", '3|x\n"ü"', "occupied", "4"]);
    expect(await states(world.store, "a", "5")).toEqual(["member"]);
  });

  run("what was kept more than a second before the arrival, by the server's clock, is no news", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await states(world.store, "a", "1");
    await world.time.advance(900);
    await states(world.store, "a", "2");
    await world.time.advance(300);
    await states(world.store, "a", "3");
    await world.store.apply([world.occupied("a", 5, 150)]);
    expect(await world.drain("a")).toEqual(["2", "3"]);
  });

  run("an arrival says which change it was", async () => {
    const world = new StoreWorld(open);
    world.announces = true;
    await world.becomeFresh();
    const change: Change = { ...world.occupied("a", 5), count: 2, isFromSnapshot: true };
    await world.store.apply([change]);
    expect(await world.store.next("a")).toMatchObject({ kind: "occupied", change });
  });

  run("changes that are not newer than what is held change nothing", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.vacated("a", 7), world.occupied("a", 6), world.occupied("a", 7)]);
    expect(await states(world.store, "a", "1")).toEqual(["absent"]);
    await world.store.apply([world.occupied("b", 9), world.vacated("b", 8)]);
    expect(await states(world.store, "b", "1")).toEqual(["member"]);
    await world.store.apply([world.occupied("b", 10)]);
    expect(await states(world.store, "b", "2")).toEqual(["member"]);
  });

  run("versions keep all of their digits", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.occupied("a", 9_007_199_254_740_990)]);
    await world.store.apply([world.vacated("a", 9_007_199_254_740_989)]);
    expect(await states(world.store, "a", "1")).toEqual(["member"]);
    await world.store.apply([world.vacated("a", 9_007_199_254_740_991)]);
    expect(await states(world.store, "a", "2")).toEqual(["absent"]);
  });

  run("a missing heartbeat makes everything unknown, and what is kept goes out first", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.occupied("m", 5)]);
    await states(world.store, "a", "1", "2");
    await states(world.store, "b", "1");
    await world.time.advance(world.settings.validityMs + 1);
    expect(await states(world.store, "m", "1")).toEqual(["unknown"]);
    expect(await states(world.store, "c", "1")).toEqual(["unknown"]);
    expect(await world.store.offer("a", "3")).toEqual({
      state: "draining",
      waiting: 3,
      isUnclaimed: true,
      isUnknown: true,
    });
    const pulse = await world.store.tick();
    expect(pulse.isFresh).toBe(false);
    expect([...pulse.unclaimed].sort()).toEqual(["a", "b"]);
    expect(await world.drain("a")).toEqual(["1", "2", "3"]);
    expect(await world.drain("b")).toEqual(["1"]);
    expect(await states(world.store, "a", "4")).toEqual(["unknown"]);
  });

  run("a heartbeat counts from when its question was asked", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    const proof = world.proof();
    await world.time.advance(1_500);
    expect(await world.store.beat(proof)).toBe(true);
    await world.time.advance(600);
    expect(await states(world.store, "a", "1")).toEqual(["unknown"]);
  });

  run("a heartbeat after a gap proves nothing until a snapshot was applied", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.time.advance(world.settings.validityMs + 1);
    expect(await world.store.beat(world.proof())).toBe(false);
    expect(await states(world.store, "a", "1")).toEqual(["unknown"]);
    await world.becomeFresh();
    expect(await states(world.store, "a", "2")).toEqual(["absent"]);
  });

  run("a repair that another one has overtaken ends nothing", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    const first = await world.store.beginRepair();
    const second = await world.store.beginRepair();
    expect(await states(world.store, "a", "1")).toEqual(["unknown"]);
    expect(await world.store.beat({ ...world.proof(), repair: first })).toBe(false);
    expect(await world.store.beat({ ...world.proof(), repair: second })).toBe(true);
  });

  run("the newest messages of a channel are kept, and no more than may be", async () => {
    const world = new StoreWorld(open, { maxChannelMessages: 3, maxChannelBytes: 40 });
    await world.becomeFresh();
    await states(world.store, "a", "1", "2", "3", "4");
    await world.store.apply([world.occupied("a", 5)]);
    expect(await world.drain("a")).toEqual(["2", "3", "4"]);
    await states(world.store, "b", "x".repeat(30), "y".repeat(10), "z");
    await world.store.apply([world.occupied("b", 6)]);
    expect(await world.drain("b")).toEqual(["y".repeat(10), "z"]);
    expect(await states(world.store, "c", "w".repeat(41))).toEqual(["unknown"]);
  });

  run("what has no room beside what is kept of other channels is sent", async () => {
    const world = new StoreWorld(open, { maxTotalBytes: 100 });
    await world.becomeFresh();
    expect(await states(world.store, "a", "x".repeat(60))).toEqual(["absent"]);
    expect(await states(world.store, "b", "y".repeat(60))).toEqual(["unknown"]);
    expect(await states(world.store, "b", "z".repeat(40))).toEqual(["absent"]);
    expect(await states(world.store, "a", "w".repeat(50))).toEqual(["absent"]);
    await world.store.apply([world.occupied("a", 5), world.occupied("b", 6)]);
    expect(await world.drain("a")).toEqual(["w".repeat(50)]);
    expect(await world.drain("b")).toEqual(["z".repeat(40)]);
  });

  run("room that is free again is used again", async () => {
    const world = new StoreWorld(open, { maxTotalBytes: 100 });
    await world.becomeFresh();
    await states(world.store, "a", "x".repeat(60));
    for (let second = 0; second < 20; second++) {
      await world.time.advance(1_000);
      await world.store.beat(world.proof());
      await world.store.tick();
    }
    expect(await states(world.store, "b", "y".repeat(60))).toEqual(["absent"]);
  });

  run("a queue that is full says so, which an arrival alone never makes it", async () => {
    const world = new StoreWorld(open, { maxChannelMessages: 2 });
    await world.becomeFresh();
    await states(world.store, "a", "1");
    await world.store.apply([world.occupied("a", 5)]);
    expect(await states(world.store, "a", "2", "3", "4", "5")).toEqual([
      "draining",
      "draining",
      "draining",
      "full",
    ]);
    expect(await world.store.offer("a", "5")).toEqual({ state: "full", waiting: 4 });
    expect(await world.drain("a")).toEqual(["1", "2", "3", "4"]);
  });

  run("what is kept is let go when its time is over", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await states(world.store, "a", "1");
    for (let second = 0; second < 8; second++) {
      await world.time.advance(1_000);
      await world.store.beat(world.proof());
      await world.store.tick();
    }
    await world.time.advance(world.settings.validityMs + 1);
    expect((await world.store.tick()).unclaimed).toEqual([]);
    expect(await states(world.store, "a", "2")).toEqual(["unknown"]);
  });

  run("an arrival while a channel drains is told in its place", async () => {
    const world = new StoreWorld(open);
    world.announces = true;
    await world.becomeFresh();
    await states(world.store, "a", "1");
    await world.store.apply([world.occupied("a", 5)]);
    await world.store.apply([world.vacated("a", 6)]);
    await states(world.store, "a", "2");
    await world.store.apply([world.occupied("a", 7)]);
    await states(world.store, "a", "3");
    expect(await world.drain("a")).toEqual(["1", "occupied", "2", "occupied", "3"]);
    expect(await states(world.store, "a", "4")).toEqual(["member"]);
  });

  run("a channel that was vacated while it drained is absent afterwards", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await states(world.store, "a", "1");
    await world.store.apply([world.occupied("a", 5), world.vacated("a", 6)]);
    expect(await world.drain("a")).toEqual(["1"]);
    expect(await states(world.store, "a", "2")).toEqual(["absent"]);
  });

  run("an entry that is looked at again is still there until it is done", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await states(world.store, "a", "1", "2");
    await world.store.apply([world.occupied("a", 5)]);
    const first = await world.store.next("a");
    expect(await world.store.next("a")).toEqual(first);
    expect(first).toMatchObject({ kind: "message", text: "1", wasKept: true });
    if (first.kind !== "message") throw new Error("no message");
    const second = await world.store.next("a", { id: first.id, isSent: true });
    expect(second).toMatchObject({ kind: "message", text: "2" });
    expect(await world.store.next("a", { id: first.id, isSent: true })).toEqual(second);
    expect(await world.store.next("nothing")).toEqual({ kind: "over" });
  });

  run("a snapshot removes those that are absent from it, but not what changed since", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.occupied("old", 5), world.occupied("new", 20)]);
    const members: string[] = [];
    for await (const some of world.store.members()) members.push(...some);
    expect(members.sort()).toEqual(["new", "old"]);
    await world.store.removeAbsent(["old", "new", "unheard-of"], 10);
    expect(await states(world.store, "old", "1")).toEqual(["absent"]);
    expect(await states(world.store, "new", "1")).toEqual(["member"]);
    await world.store.apply([world.occupied("old", 10)]);
    expect(await states(world.store, "old", "2")).toEqual(["absent"]);
  });

  run("below the floor nothing is news of a channel that nobody remembers", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.occupied("here", 3), world.occupied("gone", 4), world.vacated("gone", 5)]);
    await world.store.raiseFloor(10);
    await world.store.raiseFloor(8);
    await world.store.apply([world.occupied("gone", 10), world.occupied("stranger", 9)]);
    expect(await states(world.store, "gone", "1")).toEqual(["absent"]);
    expect(await states(world.store, "stranger", "1")).toEqual(["absent"]);
    await world.store.apply([world.vacated("here", 4), world.occupied("gone", 11)]);
    expect(await states(world.store, "here", "1")).toEqual(["absent"]);
    await world.drain("gone");
    expect(await states(world.store, "gone", "2")).toEqual(["member"]);
  });

  run("a snapshot is believed below the floor too", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.raiseFloor(10);
    await world.store.apply([{ ...world.occupied("a", 4), isFromSnapshot: true }]);
    expect(await states(world.store, "a", "1")).toEqual(["member"]);
    await world.store.apply([world.vacated("a", 11)]);
    await world.store.apply([{ ...world.occupied("a", 4), isFromSnapshot: true }]);
    expect(await states(world.store, "a", "2")).toEqual(["absent"]);
  });

  run("counts what becomes of each message", async () => {
    const world = new StoreWorld(open);
    const { store } = world;
    const totals = async () => {
      await store.tick();
      return store.totals();
    };
    await states(store, "a", "unknown");
    world.announces = true;
    await world.becomeFresh();
    await states(store, "a", "1", "2", "3");
    expect(await totals()).toEqual({ sent: 1, saved: 3, caughtUp: 0, failedOpen: 1 });
    await store.apply([world.occupied("a", 5)]);
    await states(store, "a", "4", "5");
    expect(await totals()).toEqual({ sent: 3, saved: 3, caughtUp: 0, failedOpen: 1 });
    let next = await store.next("a");
    for (const isSent of [true, true, false, true, true, false]) {
      if (next.kind === "over" || next.kind === "lost") throw new Error(next.kind);
      next = await store.next("a", { id: next.id, isSent });
    }
    expect(next).toEqual({ kind: "over" });
    expect(await totals()).toEqual({ sent: 4, saved: 1, caughtUp: 2, failedOpen: 1 });
    store.count({ sent: -1, failedOpen: -1 });
    expect(await totals()).toEqual({ sent: 3, saved: 1, caughtUp: 2, failedOpen: 0 });
  });

  run("a drain that is given back can be taken over at once", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await states(world.store, "a", "1");
    await world.store.apply([world.occupied("a", 5)]);
    await world.store.next("a");
    expect((await world.store.tick()).unclaimed).toEqual([]);
    await world.store.release("a");
    expect((await world.store.tick()).unclaimed).toEqual(["a"]);
  });

  if (!isShared) return;

  run("one worker drains at a time, and who does not come back has lost the drain", async () => {
    const world = new StoreWorld(open);
    const other = world.another();
    await world.becomeFresh();
    await states(world.store, "a", "1", "2");
    await world.store.apply([world.occupied("a", 5)]);
    const first = await world.store.next("a");
    expect(await other.next("a")).toEqual({ kind: "lost" });
    await world.time.advance(world.settings.leaseMs - 1);
    expect(await other.next("a")).toEqual({ kind: "lost" });
    expect(await world.store.next("a")).toEqual(first);
    await world.time.advance(world.settings.leaseMs + 1);
    expect((await other.tick()).unclaimed).toEqual(["a"]);
    expect(await other.next("a")).toEqual(first);
    if (first.kind !== "message") throw new Error("no message");
    expect(await world.store.next("a", { id: first.id, isSent: true })).toEqual({ kind: "lost" });
    expect(await world.drain("a", other)).toEqual(["1", "2"]);
    await world.becomeFresh();
    expect(await states(world.store, "a", "3")).toEqual(["member"]);
  });

  run("one worker leads, and another takes its place when it is gone or closes", async () => {
    const world = new StoreWorld(open);
    const other = world.another();
    expect((await world.store.tick()).isLeader).toBe(true);
    expect((await other.tick()).isLeader).toBe(false);
    await world.time.advance(world.settings.leaderMs + 1);
    expect((await other.tick()).isLeader).toBe(true);
    expect((await world.store.tick()).isLeader).toBe(false);
    await other.close();
    expect((await world.store.tick()).isLeader).toBe(true);
  });

  run("one worker's heartbeat serves all", async () => {
    const world = new StoreWorld(open);
    const other = world.another();
    await world.becomeFresh();
    expect((await other.tick()).isFresh).toBe(true);
    expect(await states(other, "a", "1")).toEqual(["absent"]);
    await world.store.apply([world.occupied("a", 5)]);
    expect(await states(other, "a", "2")).toEqual(["draining"]);
    expect(await world.drain("a", other)).toEqual(["1", "2"]);
    await other.tick();
    expect(other.totals()).toEqual({ sent: 2, saved: 0, caughtUp: 1, failedOpen: 0 });
  });
}
