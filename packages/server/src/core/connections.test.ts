import { describe, expect, test } from "bun:test";
import { ProtocolError } from "@earshot/protocol/errors";
import { isSocketId } from "@earshot/protocol/socket-id";
import type { AppDraft } from "./app.ts";
import type { Arrival } from "./connections.ts";
import { Session } from "./session.ts";
import { FixedApps } from "./testing/fixed-apps.ts";
import { draft, PAIR, World } from "./testing/world.ts";

const worldOf = (over: Partial<AppDraft>) => new World({ apps: new FixedApps(draft(over)) });

function refusalOf(world: World, over: Partial<Arrival>): string | undefined {
  const { session, socket } = world.arrive(over);
  if (session instanceof Session) return undefined;
  expect(socket.frames).toHaveLength(1);
  expect(socket.goodbye).toMatchObject({ code: session.code });
  return session.reason;
}

describe("a client that is let in", () => {
  test("gets connection_established and nothing before it", () => {
    const { session, socket } = new World().arrive();
    if (session instanceof ProtocolError) throw new Error(session.message);
    expect(socket.frames).toEqual([
      `{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"${session.socketId}\\",\\"activity_timeout\\":120}"}`,
    ]);
    expect(socket.goodbye).toBeUndefined();
  });

  test("gets a socket id of its own, in the form that libraries check", () => {
    const world = new World();
    const ids = Array.from({ length: 1_000 }, () => world.connect().socketId);
    expect(new Set(ids).size).toBe(1_000);
    expect(ids.every(isSocketId)).toBe(true);
  });

  test("is found by its app and socket id until it goes", () => {
    const world = new World();
    const client = world.connect();
    expect(world.connections.find("4711", client.socketId)).toBe(client.session);
    expect(world.connections.find("4712", client.socketId)).toBeUndefined();
    expect(world.connections.count).toBe(1);
    client.vanish();
    expect(world.connections.find("4711", client.socketId)).toBeUndefined();
    expect(world.connections.count).toBe(0);
  });

  test("may speak protocol 4 to 7", () => {
    for (const protocol of ["4", "5", "6", "7"]) expect(refusalOf(new World(), { protocol })).toBeUndefined();
  });

  test("is counted", () => {
    const world = new World();
    const client = world.connect();
    world.connect();
    client.vanish();
    client.session.closed();
    world.connections.remove(client.session);
    expect(world.tallies.of("4711")).toMatchObject({ connections: 1, connectionsOpened: 2 });
  });
});

describe("a client that is refused", () => {
  test("gets one error frame with object data, then a close frame with the same code", () => {
    const world = new World();
    const { session, socket } = world.arrive({ key: "nobody" });
    expect(session).toBeInstanceOf(ProtocolError);
    expect(socket.frames).toEqual([
      '{"event":"pusher:error","data":{"code":4001,"message":"App key nobody not in this cluster. Did you forget to specify the cluster?","remedy":"Use the key of an app of this server: `earshot apps list` shows them."}}',
    ]);
    expect(socket.goodbye).toEqual({
      code: 4001,
      reason: "App key nobody not in this cluster. Did you forget to specify the cluster?",
    });
    expect(world.connections.count).toBe(0);
  });

  test("never gets a code of null, which would kill pusher-js", () => {
    const arrivals: Partial<Arrival>[] = [
      { key: undefined },
      { key: "" },
      { protocol: undefined },
      { protocol: "99" },
    ];
    for (const arrival of arrivals) {
      const { session } = new World().arrive(arrival);
      expect(session).toMatchObject({ isFatal: true, code: expect.any(Number) });
    }
  });

  test("is told the first thing that is wrong", () => {
    const world = new World();
    expect(refusalOf(world, { key: undefined })).toBe("pathUnknown");
    expect(refusalOf(world, { key: "nobody" })).toBe("appUnknown");
    expect(refusalOf(world, { key: "nobody", protocol: undefined })).toBe("appUnknown");
    expect(refusalOf(world, { protocol: undefined })).toBe("protocolMissing");
    expect(refusalOf(world, { protocol: "" })).toBe("protocolMissing");
    expect(refusalOf(worldOf({ enabled: false }), {})).toBe("appDisabled");
    expect(refusalOf(worldOf({ tlsOnly: true }), {})).toBe("tlsRequired");
    expect(refusalOf(worldOf({ tlsOnly: true }), { isTls: true })).toBeUndefined();
  });

  test("speaks another protocol, or none that is a number", () => {
    for (const protocol of ["3", "8", "07x", "7.0", "-7", "1e1", "seven", "٧", "9".repeat(1_000)]) {
      expect(refusalOf(new World(), { protocol })).toBe("protocolUnsupported");
    }
  });

  test("comes with a revoked key, or with the key of a deleted app", () => {
    expect(refusalOf(worldOf({ keys: [{ ...PAIR, createdMs: 1, revoked: true }] }), {})).toBe("appUnknown");
    const world = new World();
    world.apps.remove("4711");
    expect(refusalOf(world, {})).toBe("appUnknown");
  });

  test("comes from an origin that is not allowed", () => {
    const world = worldOf({ allowedOrigins: ["https://shop.example.com"] });
    expect(refusalOf(world, { origin: "https://elsewhere.example.com" })).toBe("originRefused");
    expect(refusalOf(world, { origin: "https://shop.example.com" })).toBeUndefined();
    expect(refusalOf(world, { origin: undefined })).toBeUndefined();
  });

  test("is one too many for the app", () => {
    const world = worldOf({ limits: { maxConnections: 2 } });
    const first = world.connect();
    world.connect();
    const { session } = world.arrive();
    expect(session).toMatchObject({
      reason: "connectionQuota",
      code: 4004,
      measured: { limit: 2, actual: 3 },
    });
    first.vanish();
    expect(refusalOf(world, {})).toBeUndefined();
  });

  test("is counted for the app that it named, or for none", () => {
    const world = new World();
    world.arrive({ protocol: "1" });
    world.arrive({ key: "nobody" });
    expect([...world.tallies.of("4711").refusals]).toEqual([["protocolUnsupported", 1]]);
    expect([...world.tallies.of("").refusals]).toEqual([["appUnknown", 1]]);
    expect([...world.tallies.all()].map(([id]) => id).sort()).toEqual(["", "4711"]);
  });

  test("is not repeated a long key without end", () => {
    const { session, socket } = new World().arrive({ key: "k".repeat(100_000) });
    expect(session).toBeInstanceOf(ProtocolError);
    expect(socket.frames[0]?.length).toBeLessThan(4_000);
    expect(socket.goodbye).toMatchObject({ reason: expect.stringMatching(/^.{1,123}$/) });
  });
});

describe("a change of an app", () => {
  test("closes its clients with 4003 when it is disabled, and no others", () => {
    const other = {
      key: "278d425bdf160c739803",
      secret: "7ad3773142a6692b25b8",
      createdMs: 1,
      revoked: false,
    };
    const world = new World({ apps: new FixedApps(draft(), draft({ id: "3", keys: [other] })) });
    const [ours, theirs] = [world.connect(), world.connect({ key: other.key })];
    world.apps.put(draft({ enabled: false }));
    expect(ours.take()[0]).toContain('"data":{"code":4003,"message":"Application disabled"');
    expect(ours.socket.goodbye).toEqual({ code: 4003, reason: "Application disabled" });
    expect(theirs.session.isOpen).toBe(true);
    world.apps.put(draft());
    expect(refusalOf(world, {})).toBeUndefined();
  });

  test("closes its clients with 4001 when it is deleted", () => {
    const world = new World();
    const client = world.connect();
    world.apps.remove("4711");
    expect(client.socket.goodbye).toMatchObject({ code: 4001 });
    expect(world.connections.count).toBe(0);
  });

  test("of its limits and features takes effect on those who are connected", () => {
    const world = new World();
    const client = world.connect();
    client.subscribe("private-x");
    world.apps.put(draft({ features: { clientEvents: false } }));
    const [frame] = client.send({ event: "client-x", channel: "private-x", data: {} });
    expect(frame).toContain('"reason":"clientEventsDisabled"');
    expect(client.session.isOpen).toBe(true);
  });
});

describe("a planned shutdown", () => {
  test("sends everybody away with 4200 and lets nobody in", () => {
    const world = new World();
    const clients = [world.connect(), world.connect()];
    world.connections.shutDown();
    for (const client of clients) {
      expect(client.take()).toEqual([
        '{"event":"pusher:error","data":{"code":4200,"message":"Please reconnect immediately","remedy":"Reconnect: another process takes over."}}',
      ]);
      expect(client.socket.goodbye).toEqual({ code: 4200, reason: "Please reconnect immediately" });
    }
    expect(world.connections.isShuttingDown).toBe(true);
    expect(refusalOf(world, {})).toBe("shuttingDown");
    expect(world.occupied()).toEqual([]);
  });

  test("tells nobody of members that leave", () => {
    const world = new World();
    const clients = ["u-7", "u-8"].map((id) => {
      const client = world.connect();
      client.subscribe("presence-x", JSON.stringify({ user_id: id }));
      return client;
    });
    for (const client of clients) client.take();
    world.subscriptions.beQuiet();
    world.connections.shutDown();
    for (const client of clients) expect(client.take().join()).not.toContain("member_removed");
  });
});
