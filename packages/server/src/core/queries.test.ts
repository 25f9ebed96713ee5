import { describe, expect, test } from "bun:test";
import { FixedApps } from "./testing/fixed-apps.ts";
import { draft, World } from "./testing/world.ts";

const NOTHING = { userCount: false, subscriptionCount: false, cache: false };
const EVERYTHING = { userCount: true, subscriptionCount: true, cache: true };

function populated(): World {
  const world = new World({ apps: new FixedApps(draft(), draft({ id: "empty", keys: [] })) });
  for (const user of ["u-7", "u-7", "u-8"]) {
    world.connect().subscribe("presence-x", JSON.stringify({ user_id: user }));
  }
  world.connect().subscribe("news");
  world.connect().subscribe("__proto__");
  return world;
}

describe("channels", () => {
  test("are the occupied ones of the app, as a JSON object", () => {
    const world = populated();
    expect(JSON.stringify(world.queries.channels(world.app(), "", NOTHING))).toBe(
      '{"presence-x":{},"news":{},"__proto__":{}}',
    );
    expect(JSON.stringify(world.queries.channels(world.app("empty"), "", NOTHING))).toBe("{}");
  });

  test("begin with the prefix, and count distinct users where that is asked for", () => {
    const world = populated();
    expect(JSON.stringify(world.queries.channels(world.app(), "presence-", EVERYTHING))).toBe(
      '{"presence-x":{"user_count":2}}',
    );
    expect(JSON.stringify(world.queries.channels(world.app(), "nothing-", NOTHING))).toBe("{}");
  });

  test("do not show those of users", () => {
    const world = populated();
    world.localOccupancy.join({
      appId: "4711",
      channel: "#server-to-user-u-7",
      socketId: "1.2",
      maxMembers: 1,
    });
    expect(JSON.stringify(world.queries.channels(world.app(), "#", NOTHING))).toBe("{}");
  });
});

describe("one channel", () => {
  test("is occupied or not, with the attributes that were asked for", () => {
    const world = populated();
    const { queries } = world;
    expect(queries.channel(world.app(), "presence-x", NOTHING)).toEqual({ occupied: true });
    expect(queries.channel(world.app(), "presence-x", EVERYTHING)).toEqual({
      occupied: true,
      user_count: 2,
      subscription_count: 3,
      cache: null,
    });
    expect(queries.channel(world.app(), "nobody-there", EVERYTHING)).toEqual({
      occupied: false,
      user_count: 0,
      subscription_count: 0,
      cache: null,
    });
  });

  test("shows its remembered event with the seconds that it has left", () => {
    const world = new World();
    world.publish("cache-x", "price", '{"p":1}');
    world.clock.advance(1_740_500);
    expect(world.queries.channel(world.app(), "cache-x", { ...NOTHING, cache: true })).toEqual({
      occupied: false,
      cache: { data: '{"p":1}', ttl: 60 },
    });
  });
});

test("users are distinct, in the order of their arrival", () => {
  const world = populated();
  expect(world.queries.users(world.app(), "presence-x")).toEqual(["u-7", "u-8"]);
  expect(world.queries.users(world.app(), "presence-empty")).toEqual([]);
});

test("stats are the numbers of the deprecated call", () => {
  const world = populated();
  expect(world.queries.stats(world.app(), "presence-x")).toEqual({
    occupied: true,
    user_count: 2,
    connection_count: 3,
  });
  expect(world.queries.stats(world.app(), "nobody-there")).toEqual({
    occupied: false,
    user_count: 0,
    connection_count: 0,
  });
});
