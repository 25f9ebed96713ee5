import { describe, expect, test } from "bun:test";
import { signinSuccess, watchlistEvents } from "@earshot/protocol/server-message";
import { FixedApps } from "./testing/fixed-apps.ts";
import { HeldAnswers, heldBus, heldOnlineUsers, settled } from "./testing/held-answers.ts";
import { type Client, draft, World, type WorldParts } from "./testing/world.ts";

const ONLINE = { features: { watchlist: true } };

function worldOf(parts: WorldParts = {}): World {
  return new World({ apps: new FixedApps(draft(ONLINE)), ...parts });
}

/** What a watcher was told beside its own success. */
function news(client: Client): string[] {
  return client.take().filter((frame) => !frame.startsWith('{"event":"pusher:signin_success"'));
}

function signedIn(world: World, id: string, watchlist: readonly string[] = []): Client {
  const client = world.connect();
  client.signIn({ id, watchlist });
  return client;
}

function watching(world: World, id: string, watchlist: readonly string[]) {
  const client = world.connect();
  return { client, first: client.signIn({ id, watchlist }) };
}

const online = (...ids: string[]) => watchlistEvents(ids, []);
const offline = (...ids: string[]) => watchlistEvents([], ids);

describe("a watchlist", () => {
  test("is answered by one message with the state of all, then by one for each change", () => {
    const world = worldOf();
    const ann = signedIn(world, "ann");
    const { client, first } = watching(world, "zoe", ["ann", "bob", "cem"]);
    expect(first).toEqual([
      signinSuccess('{"id":"zoe","watchlist":["ann","bob","cem"]}'),
      '{"event":"pusher_internal:watchlist_events","data":"{\\"events\\":[{\\"name\\":\\"online\\",\\"user_ids\\":[\\"ann\\"]},{\\"name\\":\\"offline\\",\\"user_ids\\":[\\"bob\\",\\"cem\\"]}]}"}',
    ]);
    const bob = signedIn(world, "bob");
    expect(client.take()).toEqual([online("bob")]);
    ann.vanish();
    expect(client.take()).toEqual([offline("ann")]);
    bob.vanish();
    signedIn(world, "dan").vanish();
    expect(client.take()).toEqual([offline("bob")]);
  });

  test("names no state that nobody is in", () => {
    const world = worldOf();
    expect(watching(world, "zoe", ["ann"]).first.slice(1)).toEqual([offline("ann")]);
    signedIn(world, "ann");
    expect(watching(world, "yan", ["ann"]).first.slice(1)).toEqual([online("ann")]);
  });

  test("hears of a user's first connection and of the last one's end", () => {
    const world = worldOf();
    const { client } = watching(world, "zoe", ["ann"]);
    client.take();
    const [tab1, tab2] = [signedIn(world, "ann"), signedIn(world, "ann")];
    expect(client.take()).toEqual([online("ann")]);
    tab1.vanish();
    expect(client.take()).toEqual([]);
    tab2.vanish();
    expect(client.take()).toEqual([offline("ann")]);
  });

  test("may hold oneself: online at once, and no change is told", () => {
    const { client, first } = watching(worldOf(), "zoe", ["zoe"]);
    expect(first.slice(1)).toEqual([online("zoe")]);
    expect(client.take()).toEqual([]);
  });

  test("tells nothing where it is empty, or where the app does not want it", () => {
    expect(watching(worldOf(), "zoe", []).first).toHaveLength(1);
    const world = new World();
    const { client, first } = watching(world, "zoe", ["ann"]);
    expect(first).toHaveLength(1);
    signedIn(world, "ann");
    expect(client.take()).toEqual([]);
    expect(world.topics.occupied).toEqual([]);
  });

  test("that is too long succeeds, with a 4302 that names those who are watched", () => {
    const world = worldOf({ apps: new FixedApps(draft({ ...ONLINE, limits: { maxWatchlist: 2 } })) });
    const { client, first } = watching(world, "zoe", ["ann", "bob", "cem"]);
    expect(first).toEqual([
      signinSuccess('{"id":"zoe","watchlist":["ann","bob","cem"]}'),
      '{"event":"pusher:error","data":{"code":4302,"message":"The watchlist is longer than the limit of 2 users. Only these are watched: ann, bob","reason":"watchlistLimit","limit":2,"actual":3,"remedy":"Watch fewer users, or raise the app\'s limit maxWatchlist."}}',
      offline("ann", "bob"),
    ]);
    signedIn(world, "cem");
    signedIn(world, "bob");
    expect(client.take()).toEqual([online("bob")]);
    expect(client.session.isOpen).toBe(true);
  });

  test("is replaced by that of a later sign-in of the same user", () => {
    const world = worldOf();
    const { client } = watching(world, "zoe", ["ann", "bob"]);
    expect(client.signIn({ id: "zoe", watchlist: ["bob", "cem"] }).slice(1)).toEqual([offline("bob", "cem")]);
    for (const id of ["ann", "bob", "cem"]) signedIn(world, id);
    expect(client.take()).toEqual([online("bob"), online("cem")]);
  });

  test("stays within one app", () => {
    const pair = { key: "other", secret: "secret", createdMs: 1, revoked: false };
    const world = worldOf({
      apps: new FixedApps(draft(ONLINE), draft({ ...ONLINE, id: "4712", keys: [pair] })),
    });
    const { client } = watching(world, "zoe", ["ann"]);
    client.take();
    world.localOnline.arrive({ appId: "4712", userId: "ann", socketId: "1.1" });
    void world.watchlists.cameOnline("4712", "ann", "1.1");
    expect(client.take()).toEqual([]);
  });

  test("ends with the connection, and leaves no topic", () => {
    const world = worldOf();
    const { client } = watching(world, "zoe", ["ann", "bob"]);
    expect(world.topics.occupied).toHaveLength(2);
    client.vanish();
    expect(world.topics.occupied).toEqual([]);
  });

  test("is no subscription: nothing is listed and nothing counted", () => {
    const world = worldOf();
    watching(world, "zoe", ["ann"]);
    expect(world.occupied()).toEqual([]);
    expect(world.tallies.of("4711").subscriptions).toBe(0);
  });

  test("is told of nobody who leaves because of a planned shutdown", () => {
    for (const offlineDelayMs of [0, 1_000]) {
      const world = worldOf({ offlineDelayMs });
      const { client } = watching(world, "zoe", ["ann"]);
      const ann = signedIn(world, "ann");
      client.take();
      world.watchlists.beQuiet();
      ann.vanish();
      world.clock.advance(10_000);
      world.watchlists.tick();
      expect(client.take()).toEqual([]);
    }
  });
});

describe("with a delay", () => {
  const delayed = () => {
    const world = worldOf({ offlineDelayMs: 3_000 });
    const { client } = watching(world, "zoe", ["ann"]);
    client.take();
    const advance = (ms: number) => {
      world.clock.advance(ms);
      world.watchlists.tick();
    };
    return { world, client, advance };
  };

  test("a user is offline only when the delay is over, for those who ask, too", () => {
    const { world, client, advance } = delayed();
    signedIn(world, "ann").vanish();
    expect(client.take()).toEqual([online("ann")]);
    advance(2_999);
    expect(client.take()).toEqual([]);
    expect(watching(world, "yan", ["ann"]).first.slice(1)).toEqual([online("ann")]);
    advance(1);
    expect(client.take()).toEqual([offline("ann")]);
    advance(10_000);
    expect(client.take()).toEqual([]);
  });

  test("a user who comes back within it was never gone", () => {
    const { world, client, advance } = delayed();
    signedIn(world, "ann").vanish();
    advance(2_000);
    const back = signedIn(world, "ann");
    expect(client.take()).toEqual([online("ann")]);
    advance(5_000);
    expect(client.take()).toEqual([]);
    back.vanish();
    advance(2_999);
    expect(client.take()).toEqual([]);
    advance(1);
    expect(client.take()).toEqual([offline("ann")]);
  });
});

describe("with a back end that answers later", () => {
  const later = (parts: WorldParts = {}) => {
    const answers = new HeldAnswers();
    const world = worldOf({ ...parts, online: (local) => heldOnlineUsers(local, answers) });
    return { answers, world };
  };
  const arrive = (world: World, userId: string) =>
    world.localOnline.arrive({ appId: "4711", userId, socketId: "9.9" });

  test("the state comes after the success, and before any change", async () => {
    const { answers, world } = later();
    const client = world.connect();
    client.signIn({ id: "zoe", watchlist: ["ann"] });
    await answers.releaseAll();
    expect(client.take()).toEqual([signinSuccess('{"id":"zoe","watchlist":["ann"]}'), offline("ann")]);
    const ann = world.connect();
    ann.signIn({ id: "ann" });
    await answers.releaseAll();
    expect(client.take()).toEqual([online("ann")]);
    ann.vanish();
    await answers.releaseAll();
    expect(client.take()).toEqual([offline("ann")]);
  });

  test("a change between the question and the subscription is not missed", async () => {
    const answers = new HeldAnswers();
    // The answer is made at once, and arrives later: by then it is no longer true.
    const world = worldOf({
      online: (local) => ({
        arrive: (signIn) => local.arrive(signIn),
        leave: (signIn) => local.leave(signIn),
        lapse: (appId, userId) => local.lapse(appId, userId),
        online: (appId, userIds) => {
          const then = local.online(appId, userIds);
          return answers.hold(() => then);
        },
      }),
    });
    const client = world.connect();
    client.signIn({ id: "zoe", watchlist: ["ann"] });
    arrive(world, "ann");
    await answers.releaseAll();
    expect(news(client)).toEqual([offline("ann"), online("ann")]);
  });

  test("who tells last tells the truth, although two nodes tell in the wrong order", async () => {
    const { answers, world } = later();
    const client = world.connect();
    client.signIn({ id: "zoe", watchlist: ["ann"] });
    await answers.releaseAll();
    const ann = world.connect();
    ann.signIn({ id: "ann" });
    await answers.releaseAll();
    expect(news(client)).toEqual([offline("ann"), online("ann")]);
    ann.vanish();
    await answers.release(); // the leave
    await answers.release(); // the lapse: offline is told
    expect(client.take()).toEqual([offline("ann")]);
    arrive(world, "ann"); // on another node, whose word came first
    await answers.releaseAll();
    expect(client.take()).toEqual([online("ann")]);
  });

  test("a lapse that fails is reported and tried again", async () => {
    const { answers, world } = later();
    const ann = world.connect();
    ann.signIn({ id: "ann" });
    await answers.releaseAll();
    ann.vanish();
    await answers.release();
    await answers.fail(new Error("no answer"));
    expect(world.failures).toEqual([new Error("no answer")]);
    expect(world.localOnline.online("4711", ["ann"]).size).toBe(1);
    world.clock.advance(1_000);
    world.watchlists.tick();
    await answers.releaseAll();
    expect(world.localOnline.online("4711", ["ann"]).size).toBe(0);
  });

  test("a watcher that ends meanwhile leaves no topic", async () => {
    const { answers, world } = later();
    const client = world.connect();
    client.signIn({ id: "zoe", watchlist: ["ann"] });
    await answers.release();
    client.vanish();
    await answers.releaseAll();
    expect(world.topics.occupied).toEqual([]);
  });

  test("a bus that fails costs no sign-in", async () => {
    const answers = new HeldAnswers();
    const world = worldOf({ bus: (local) => heldBus(local, answers) });
    const client = world.connect();
    expect(client.signIn({ id: "zoe" })).toEqual([signinSuccess('{"id":"zoe"}')]);
    await answers.fail(new Error("no bus"));
    await settled();
    expect(client.take()).toEqual([]);
    expect(world.failures).toEqual([new Error("no bus")]);
  });

  test("a state that cannot be read is told as unavailable; the user is signed in", async () => {
    const { answers, world } = later();
    const client = world.connect();
    client.signIn({ id: "zoe", watchlist: ["ann"] });
    await answers.release(); // the arrival
    await answers.fail(new Error("no answer"), answers.count - 1);
    await answers.releaseAll();
    expect(client.take().at(-1)).toContain('"reason":"unavailable"');
    expect(client.session.user?.state).toBe("arrived");
  });
});
