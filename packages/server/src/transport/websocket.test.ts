import { describe, expect, test } from "bun:test";
import type { ServerWebSocket } from "bun";
import { Session } from "#core/session";
import { FakeSocket } from "#core/testing/fake-topics";
import { PAIR, World } from "#core/testing/world";
import type { Log } from "#observe/log";
import { type SocketData, websocketHandler } from "./websocket.ts";

const PING = '{"event":"pusher:ping"}';
const PONG = '{"event":"pusher:pong","data":"{}"}';

/** The handler over a world, and sockets as the runtime would hand them in. */
function handling() {
  const world = new World();
  const errors: unknown[] = [];
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (fields) => errors.push(fields),
    child: () => log,
  };
  const { connections, sessionParts } = world;
  const handler = websocketHandler({ connections, sessionParts, maxBackpressureBytes: 1_000, log });
  const arrive = (key = PAIR.key as string) => {
    const socket = Object.assign(new FakeSocket(world.topics), {
      data: {
        arrival: { key, protocol: "7", origin: undefined, isTls: false },
        address: "192.0.2.1",
      } as SocketData,
    });
    // Of the runtime's socket the handler uses what the fake has.
    const ws = socket as unknown as ServerWebSocket<SocketData>;
    handler.open?.(ws);
    return { socket, ws };
  };
  return { world, errors, handler, arrive };
}

describe("a socket", () => {
  test("becomes a session that is given its messages, its signs of life and its end", () => {
    const { world, handler, arrive } = handling();
    const { socket, ws } = arrive();
    expect(socket.data).toBeInstanceOf(Session);
    expect(socket.take()[0]).toContain('"event":"pusher:connection_established"');
    void handler.message?.(ws, PING);
    void handler.message?.(ws, Buffer.from(PING));
    expect(socket.take()).toEqual([PONG, expect.stringContaining('"reason":"frameBinary"')]);
    for (const sign of [handler.ping, handler.pong]) {
      world.clock.advance(120_000);
      world.connections.checkLiveness();
      void sign?.(ws, Buffer.alloc(0));
      world.clock.advance(60_000);
      world.connections.checkLiveness();
      expect(world.connections.count).toBe(1);
    }
    void handler.close?.(ws, 1_006, "");
    expect(world.connections.count).toBe(0);
    void handler.close?.(ws, 1_006, "");
  });

  test("that was refused is told why, and not listened to", () => {
    const { world, handler, arrive } = handling();
    const { socket, ws } = arrive("nobody");
    expect(socket.goodbye).toMatchObject({ code: 4001 });
    expect(socket.take()).toHaveLength(1);
    expect(socket.data).toBeUndefined();
    void handler.message?.(ws, PING);
    void handler.ping?.(ws, Buffer.alloc(0));
    void handler.close?.(ws, 4_001, "");
    expect(socket.take()).toEqual([]);
    expect(world.connections.count).toBe(0);
  });
});

describe("a throw inside a handler", () => {
  test("is logged and costs nobody but the one client its connection", () => {
    const { world, errors, handler, arrive } = handling();
    const { socket, ws } = arrive();
    const { socket: other, ws: otherWs } = arrive();
    other.take();
    if (!(socket.data instanceof Session)) throw new Error("there is no session");
    socket.data.receive = () => {
      throw new Error("a bug");
    };
    void handler.message?.(ws, PING);
    expect(errors).toEqual([{ problem: "Error: a bug" }]);
    expect(socket.goodbye).toBe("terminated");
    void handler.close?.(ws, 1_006, "");
    void handler.message?.(otherWs, PING);
    expect(other.take()).toEqual([PONG]);
    expect(world.connections.count).toBe(1);
  });
});

test("a slow reader is closed, never buffered without end, and large messages reach our own error", () => {
  const { handler } = handling();
  expect(handler).toMatchObject({ backpressureLimit: 1_000, closeOnBackpressureLimit: true, idleTimeout: 0 });
  expect(handler.maxPayloadLength).toBeGreaterThan(3 * 1_000_000);
});
