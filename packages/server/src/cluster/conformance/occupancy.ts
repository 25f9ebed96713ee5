import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ChannelCounts, Join, Member, Occupancy } from "#core/ports";

export interface OccupancyUnderTest {
  readonly occupancy: Occupancy;
  /** Gives back what the test used. */
  readonly dispose?: () => Promise<void>;
}

const MODEL_STEPS = 5_000;
const MODEL_SEEDS = [1, 2, 3];

/** What every form of the port promises. @param make a port without a row, new for each test */
export function occupancyConformance(
  form: string,
  make: () => OccupancyUnderTest | Promise<OccupancyUnderTest>,
): void {
  describe(`occupancy: ${form}`, () => {
    let under: OccupancyUnderTest;
    let occupancy: Occupancy;

    beforeEach(async () => {
      under = await make();
      occupancy = under.occupancy;
    });
    afterEach(async () => under.dispose?.());

    const join = async (over: Partial<Join> = {}) =>
      occupancy.join({ appId: "4711", channel: "news", socketId: "1.1", maxMembers: 100, ...over });
    const leave = async (socketId = "1.1", channel = "news", userId?: string) => {
      const gone = { appId: "4711", channel, socketId };
      return occupancy.leave(userId === undefined ? gone : { ...gone, userId });
    };
    const member = (userId: string, infoJson = "{}"): Member => ({ userId, infoJson });

    test("knows nobody in the beginning", async () => {
      expect(await occupancy.counts("4711", "news")).toEqual({ subscriptions: 0, users: 0 });
      expect([...(await occupancy.channels("4711", ""))]).toEqual([]);
      expect(await occupancy.members("4711", "presence-x")).toEqual([]);
    });

    test("counts the subscription that joins", async () => {
      expect(await join()).toMatchObject({ joined: true, subscriptions: 1, memberIsNew: false });
      expect(await join({ socketId: "2.2" })).toMatchObject({ joined: true, subscriptions: 2 });
      expect(await occupancy.counts("4711", "news")).toEqual({ subscriptions: 2, users: 0 });
    });

    test("refuses the subscription beyond the quota that it brings, and counts it in what it says", async () => {
      for (const socketId of ["1.1", "2.2"]) await join({ socketId, maxSubscriptions: 2 });
      const refused = { joined: false, refusal: "subscriptions", limit: 2, actual: 3 } as const;
      expect(await join({ socketId: "3.3", maxSubscriptions: 2 })).toEqual(refused);
      expect(await occupancy.counts("4711", "news")).toEqual({ subscriptions: 2, users: 0 });
      expect(await join({ socketId: "3.3", maxSubscriptions: 3 })).toMatchObject({ subscriptions: 3 });
      for (const socketId of ["1.1", "2.2"]) await leave(socketId);
      expect(await join({ socketId: "4.4", maxSubscriptions: 2 })).toMatchObject({ subscriptions: 2 });
    });

    test("has no row for a channel whose first subscription is refused", async () => {
      expect(await join({ maxSubscriptions: 0 })).toMatchObject({ joined: false, limit: 0, actual: 1 });
      expect([...(await occupancy.channels("4711", ""))]).toEqual([]);
    });

    test("lets exactly as many in as the quota allows, however many come at once", async () => {
      const all = Array.from({ length: 50 }, (_, i) => join({ socketId: `${i}.1`, maxSubscriptions: 10 }));
      const answers = await Promise.all(all);
      expect(answers.filter((answer) => answer.joined)).toHaveLength(10);
    });

    test("has no members on a channel without members", async () => {
      expect(await join()).not.toHaveProperty("members");
      expect(await occupancy.members("4711", "news")).toEqual([]);
    });

    test("counts down, and forgets a channel that nobody is left on", async () => {
      await join();
      await join({ socketId: "2.2" });
      expect(await leave()).toEqual({ subscriptions: 1, memberIsGone: false });
      expect(await leave("2.2")).toEqual({ subscriptions: 0, memberIsGone: false });
      expect([...(await occupancy.channels("4711", ""))]).toEqual([]);
    });

    test("keeps apps and channels apart, whatever they are called", async () => {
      const rows = [
        ["a", "b"],
        ["a", "b-c"],
        ["a-b", "c"],
        ["__proto__", "constructor"],
        ["constructor", "__proto__"],
      ] as const;
      for (const [appId, channel] of rows) await join({ appId, channel });
      for (const [appId, channel] of rows) {
        expect(await occupancy.counts(appId, channel)).toEqual({ subscriptions: 1, users: 0 });
      }
      expect([...(await occupancy.channels("a", "")).keys()].sort()).toEqual(["b", "b-c"]);
      expect((await occupancy.channels("b", "")).size).toBe(0);
    });

    test("lists the channels that begin with a prefix, taken as it is written", async () => {
      for (const channel of ["presence-a", "presence-b", "private-a", "a.c", "a,c", "*", "presence"]) {
        if (channel !== "*") await join({ channel, socketId: "1.1" });
      }
      const names = async (prefix: string) => [...(await occupancy.channels("4711", prefix)).keys()].sort();
      expect(await names("presence-")).toEqual(["presence-a", "presence-b"]);
      expect(await names("a.")).toEqual(["a.c"]);
      expect(await names("*")).toEqual([]);
      expect(await names("p?")).toEqual([]);
      expect(await names("[ap]")).toEqual([]);
      expect(await names("")).toHaveLength(6);
    });

    test("lists the counts beside the names", async () => {
      await join({ channel: "presence-a", member: member("u-7") });
      await join({ channel: "presence-a", socketId: "2.2", member: member("u-7") });
      expect(new Map(await occupancy.channels("4711", "presence-"))).toEqual(
        new Map([["presence-a", { subscriptions: 2, users: 1 }]]),
      );
    });

    describe("on a presence channel", () => {
      const presence = (userId: string, socketId: string, over: Partial<Join> = {}) =>
        join({ channel: "presence-x", socketId, member: member(userId), ...over });

      test("gives the distinct users in the order of their arrival, the new one among them", async () => {
        await presence("u-7", "1.1");
        await presence("u-8", "2.2");
        expect(await presence("u-7", "3.3")).toEqual({
          joined: true,
          subscriptions: 3,
          members: [member("u-7"), member("u-8")],
          memberIsNew: false,
        });
        expect(await occupancy.members("4711", "presence-x")).toEqual([member("u-7"), member("u-8")]);
        expect(await occupancy.counts("4711", "presence-x")).toEqual({ subscriptions: 3, users: 2 });
      });

      test("says that a user is new for the first connection, and gone with the last one", async () => {
        expect(await presence("u-7", "1.1")).toMatchObject({ memberIsNew: true });
        expect(await presence("u-7", "2.2")).toMatchObject({ memberIsNew: false });
        expect(await leave("1.1", "presence-x", "u-7")).toEqual({ subscriptions: 1, memberIsGone: false });
        expect(await leave("2.2", "presence-x", "u-7")).toEqual({ subscriptions: 0, memberIsGone: true });
        expect(await presence("u-7", "3.3")).toMatchObject({ memberIsNew: true });
      });

      test("keeps the first info of a user until the user is gone", async () => {
        const first = member("u-7", '{"name":"Zoë"}');
        await presence("u-7", "1.1", { member: first });
        expect(await presence("u-7", "2.2", { member: member("u-7", '{"name":"Ann"}') })).toMatchObject({
          members: [first],
        });
        await leave("1.1", "presence-x", "u-7");
        expect(await occupancy.members("4711", "presence-x")).toEqual([first]);
        await leave("2.2", "presence-x", "u-7");
        const next = member("u-7", '{"name":"Ann"}');
        expect(await presence("u-7", "3.3", { member: next })).toMatchObject({ members: [next] });
      });

      test("keeps users apart, whatever they are called, and their info unchanged", async () => {
        const users = [
          "__proto__",
          "constructor",
          "7",
          "07",
          "",
          " ",
          "a/b",
          "a:b",
          "😀",
          "\ud800",
          "ä",
          "a\u0308",
        ];
        const info = '{"text":"\\u2028 \\" \\\\ 😀"}';
        for (const [index, user] of users.entries()) {
          await presence(user, `${index}.1`, { member: member(user, info) });
        }
        expect(await occupancy.members("4711", "presence-x")).toEqual(
          users.map((user) => member(user, info)),
        );
      });

      test("refuses the user who is one too many, in the same step, and keeps nothing of it", async () => {
        await presence("u-7", "1.1", { maxMembers: 2 });
        await presence("u-8", "2.2", { maxMembers: 2 });
        expect(await presence("u-9", "3.3", { maxMembers: 2 })).toEqual({
          joined: false,
          refusal: "members",
          limit: 2,
          actual: 3,
        });
        expect(await occupancy.counts("4711", "presence-x")).toEqual({ subscriptions: 2, users: 2 });
        expect(await presence("u-7", "4.4", { maxMembers: 2 })).toMatchObject({
          joined: true,
          subscriptions: 3,
        });
        await leave("2.2", "presence-x", "u-8");
        expect(await presence("u-9", "3.3", { maxMembers: 2 })).toMatchObject({
          joined: true,
          memberIsNew: true,
        });
      });

      test("refuses the first user of all where none is allowed, and the channel stays vacant", async () => {
        expect(await presence("u-7", "1.1", { maxMembers: 0 })).toMatchObject({ joined: false, actual: 1 });
        expect((await occupancy.channels("4711", "")).size).toBe(0);
      });

      test("lets a user in once who comes with many connections at the same time", async () => {
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, index) => presence("u-7", `${index}.1`, { maxMembers: 1 })),
        );
        expect(answers.filter((answer) => answer.joined && answer.memberIsNew)).toHaveLength(1);
        expect(await occupancy.counts("4711", "presence-x")).toEqual({ subscriptions: 50, users: 1 });
      });

      test("gives lists that later changes do not touch", async () => {
        const answer = await presence("u-7", "1.1");
        const before = await occupancy.members("4711", "presence-x");
        await presence("u-8", "2.2");
        expect(before).toEqual([member("u-7")]);
        expect(answer).toMatchObject({ members: [member("u-7")] });
      });
    });

    test.each(MODEL_SEEDS)("agrees with a naive model over thousands of steps (seed %d)", async (seed) => {
      const model = new Model();
      const random = generator(seed);
      for (let step = 0; step < MODEL_STEPS; step++) {
        const known = model.pick(random);
        if (known !== undefined && random() < 0.45) {
          const { appId, channel, socketId, member: who } = known;
          const gone = { appId, channel, socketId };
          const left = await occupancy.leave(who === undefined ? gone : { ...gone, userId: who.userId });
          expect(left).toEqual(model.leave(known));
        } else {
          const wanted = model.invent(random);
          if (wanted !== undefined) expect(await occupancy.join(wanted)).toEqual(model.join(wanted));
        }
        if (step % 50 === 0) await compare(occupancy, model);
      }
      for (const known of [...model.rows]) {
        const gone = { appId: known.appId, channel: known.channel, socketId: known.socketId };
        await occupancy.leave(known.member === undefined ? gone : { ...gone, userId: known.member.userId });
        model.leave(known);
      }
      for (const appId of Model.apps) expect((await occupancy.channels(appId, "")).size).toBe(0);
    });
  });
}

async function compare(occupancy: Occupancy, model: Model): Promise<void> {
  for (const appId of Model.apps) {
    const listed = await occupancy.channels(appId, "");
    expect(new Map([...listed].sort())).toEqual(new Map([...model.channels(appId)].sort()));
    for (const channel of Model.channelNames) {
      expect(await occupancy.counts(appId, channel)).toEqual(model.counts(appId, channel));
      expect(await occupancy.members(appId, channel)).toEqual(model.members(appId, channel));
    }
  }
}

/** One list of who is where, in the order of their coming; everything else is counted from it each time. */
class Model {
  static readonly apps = ["1", "2"];
  static readonly channelNames = ["news", "sport", "presence-a", "presence-b"];
  readonly rows: Join[] = [];

  pick(random: () => number): Join | undefined {
    return this.rows[Math.floor(random() * this.rows.length)];
  }

  /** A join that a session would make: no socket is on a channel twice. */
  invent(random: () => number): Join | undefined {
    const one = (items: readonly string[]) => items[Math.floor(random() * items.length)] ?? "";
    const channel = one(Model.channelNames);
    const place = {
      appId: one(Model.apps),
      channel,
      socketId: `${Math.floor(random() * 40)}.1`,
      maxMembers: 6,
    };
    if (this.rows.some((row) => isSame(row, place) && row.socketId === place.socketId)) return undefined;
    if (!channel.startsWith("presence-")) return place;
    const userId = `u-${Math.floor(random() * 8)}`;
    return { ...place, member: { userId, infoJson: `{"n":${Math.floor(random() * 100)}}` } };
  }

  join(wanted: Join) {
    const before = this.members(wanted.appId, wanted.channel);
    const { member, maxMembers } = wanted;
    if (member === undefined) {
      this.rows.push(wanted);
      const { subscriptions } = this.counts(wanted.appId, wanted.channel);
      return { joined: true as const, subscriptions, memberIsNew: false };
    }
    const memberIsNew = before.every(({ userId }) => userId !== member.userId);
    if (memberIsNew && before.length >= maxMembers) {
      return {
        joined: false as const,
        refusal: "members" as const,
        limit: maxMembers,
        actual: before.length + 1,
      };
    }
    const known = before.find(({ userId }) => userId === member.userId);
    this.rows.push(known === undefined ? wanted : { ...wanted, member: known });
    const { subscriptions } = this.counts(wanted.appId, wanted.channel);
    return {
      joined: true as const,
      subscriptions,
      members: memberIsNew ? [...before, member] : before,
      memberIsNew,
    };
  }

  leave(row: Join) {
    const user = row.member?.userId;
    const before = this.members(row.appId, row.channel).length;
    const at = this.rows.indexOf(row);
    const order = this.members(row.appId, row.channel).map(({ userId }) => userId);
    this.rows.splice(at, 1);
    this.#keepOrder(row, order);
    const memberIsGone = user !== undefined && this.members(row.appId, row.channel).length < before;
    return { subscriptions: this.counts(row.appId, row.channel).subscriptions, memberIsGone };
  }

  counts(appId: string, channel: string): ChannelCounts {
    const subscriptions = this.rows.filter((row) => isSame(row, { appId, channel })).length;
    return { subscriptions, users: this.members(appId, channel).length };
  }

  channels(appId: string): Map<string, ChannelCounts> {
    const names = new Set(this.rows.filter((row) => row.appId === appId).map((row) => row.channel));
    return new Map([...names].map((channel) => [channel, this.counts(appId, channel)]));
  }

  members(appId: string, channel: string): Member[] {
    const members = new Map<string, Member>();
    for (const row of this.rows) {
      if (isSame(row, { appId, channel }) && row.member !== undefined && !members.has(row.member.userId)) {
        members.set(row.member.userId, row.member);
      }
    }
    return [...members.values()];
  }

  /** A user whose first connection has left keeps the place in the list. */
  #keepOrder(left: Join, order: readonly string[]): void {
    const rank = (row: Join) => order.indexOf(row.member?.userId ?? "");
    const here = this.rows.filter((row) => isSame(row, left)).sort((a, b) => rank(a) - rank(b));
    const others = this.rows.filter((row) => !isSame(row, left));
    this.rows.splice(0, this.rows.length, ...others, ...here);
  }
}

function isSame(a: { appId: string; channel: string }, b: { appId: string; channel: string }): boolean {
  return a.appId === b.appId && a.channel === b.channel;
}

/** Numbers from 0 up to, not including, 1, that the seed decides (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
