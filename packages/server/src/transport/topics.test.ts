import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Server, ServerWebSocket } from "bun";
import { NativeTopics } from "./topics.ts";

interface Peer {
  readonly socket: ServerWebSocket<undefined>;
  readonly server: Server<undefined>;
  readonly got: string[];
  readonly client: WebSocket;
}

/** Real servers of the runtime, with real clients. */
class Stage {
  readonly servers: Server<undefined>[] = [];
  readonly #opened: ((socket: ServerWebSocket<undefined>) => void)[] = [];

  addServer(): Server<undefined> {
    const server = Bun.serve<undefined>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, self) => (self.upgrade(request, { data: undefined }) ? undefined : new Response("no")),
      websocket: {
        open: (socket) => this.#opened.shift()?.(socket),
        message: () => {},
      },
    });
    this.servers.push(server);
    return server;
  }

  async connect(server: Server<undefined>): Promise<Peer> {
    const opened = new Promise<ServerWebSocket<undefined>>((resolve) => this.#opened.push(resolve));
    const client = new WebSocket(`ws://127.0.0.1:${server.port}/`);
    const got: string[] = [];
    client.addEventListener("message", ({ data }) => got.push(String(data)));
    return { socket: await opened, server, got, client };
  }

  async end(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop(true)));
  }
}

const LAST = "that was all";

/** Waits until everything has arrived that was sent so far. */
async function settle(...peers: readonly Peer[]): Promise<void> {
  for (const { socket, client, got } of peers) {
    const arrived = new Promise<void>((resolve) => {
      client.addEventListener("message", ({ data }) => {
        if (data === LAST) resolve();
      });
    });
    socket.send(LAST);
    await arrived;
    got.splice(got.indexOf(LAST), 1);
  }
}

describe("fan-out over one native server", () => {
  const stage = new Stage();
  const topics = new NativeTopics();
  let server: Server<undefined>;

  beforeEach(() => {
    server = stage.addServer();
    topics.use([server], () => undefined);
  });
  afterEach(() => stage.end());

  test("reaches every subscriber of a topic, and says how many", async () => {
    const peers = [await stage.connect(server), await stage.connect(server), await stage.connect(server)];
    for (const { socket } of peers.slice(1)) socket.subscribe("7/news");
    expect(topics.publish("7/news", "hello")).toBe(2);
    expect(topics.publish("7/nobody", "hello")).toBe(0);
    await settle(...peers);
    expect(peers.map(({ got }) => got)).toEqual([[], ["hello"], ["hello"]]);
  });

  test("keeps the order of send and publish to one socket", async () => {
    const peer = await stage.connect(server);
    peer.socket.subscribe("7/a");
    peer.socket.subscribe("7/b");
    const sent: string[] = [];
    for (let turn = 0; turn < 200; turn++) {
      for (const [how, frame] of [
        ["send", `s${turn}`],
        ["a", `a${turn}`],
        ["b", `b${turn}`],
        ["send", `t${turn}`],
      ] as const) {
        sent.push(frame);
        if (how === "send") peer.socket.send(frame);
        else topics.publish(`7/${how}`, frame);
      }
      if (turn % 50 === 0) await Bun.sleep(1);
    }
    await settle(peer);
    expect(peer.got).toEqual(sent);
  });

  test("gives a new subscriber nothing from before, and everything from after", async () => {
    const [early, late] = [await stage.connect(server), await stage.connect(server)];
    early.socket.subscribe("7/news");
    topics.publish("7/news", "before");
    late.socket.send("welcome");
    late.socket.subscribe("7/news");
    topics.publish("7/news", "after");
    await settle(early, late);
    expect(early.got).toEqual(["before", "after"]);
    expect(late.got).toEqual(["welcome", "after"]);
  });

  test("loses nothing that was published before an unsubscribe in the same turn", async () => {
    const peers = [await stage.connect(server), await stage.connect(server)];
    for (const { socket } of peers) socket.subscribe("7/news");
    for (let event = 0; event < 20; event++) topics.publish("7/news", `event ${event}`);
    peers[0]?.socket.unsubscribe("7/news");
    expect(topics.publish("7/news", "only for one")).toBe(1);
    await settle(...peers);
    const all = Array.from({ length: 20 }, (_, event) => `event ${event}`);
    expect(peers[0]?.got).toEqual(all);
    expect(peers[1]?.got).toEqual([...all, "only for one"]);
  });

  test("sends nothing after an unsubscribe, and all again after the next subscribe", async () => {
    const peer = await stage.connect(server);
    peer.socket.subscribe("7/news");
    peer.socket.unsubscribe("7/news");
    expect(topics.publish("7/news", "lost")).toBe(0);
    peer.socket.subscribe("7/news");
    topics.publish("7/news", "kept");
    await settle(peer);
    expect(peer.got).toEqual(["kept"]);
  });

  test("leaves out the one socket that is named, whether it is a subscriber or not", async () => {
    const [left, other, outside] = [
      await stage.connect(server),
      await stage.connect(server),
      await stage.connect(server),
    ];
    for (const { socket } of [left, other]) socket.subscribe("7/news");
    expect(topics.publish("7/news", "one", left.socket)).toBe(1);
    expect(topics.publish("7/news", "two", outside.socket)).toBe(2);
    await settle(left, other, outside);
    expect(left.got).toEqual(["two"]);
    expect(other.got).toEqual(["one", "two"]);
    expect(outside.got).toEqual([]);
  });

  test("keeps the order between frames with and without an exclusion", async () => {
    const [left, other] = [await stage.connect(server), await stage.connect(server)];
    for (const { socket } of [left, other]) socket.subscribe("7/news");
    const sent: string[] = [];
    for (let event = 0; event < 300; event++) {
      sent.push(`${event}`);
      topics.publish("7/news", `${event}`, event % 2 === 0 ? left.socket : undefined);
    }
    await settle(left, other);
    expect(other.got).toEqual(sent);
    expect(left.got).toEqual(sent.filter((event) => Number(event) % 2 === 1));
  });

  test("carries any text unchanged", async () => {
    const peer = await stage.connect(server);
    peer.socket.subscribe("7/news");
    const texts = ["", "\u0000", "😀", "ä".repeat(50_000), "\u2028", "x".repeat(200_000)];
    for (const text of texts) topics.publish("7/news", text);
    await settle(peer);
    expect(peer.got.filter((text) => text !== "")).toEqual(texts.filter((text) => text !== ""));
  });
});

describe("fan-out over two native servers, after a change of the certificate", () => {
  const stage = new Stage();
  const topics = new NativeTopics();
  let peers: [Peer, Peer, Peer];

  beforeEach(async () => {
    const [retired, current] = [stage.addServer(), stage.addServer()];
    peers = [await stage.connect(retired), await stage.connect(retired), await stage.connect(current)];
    topics.use([current, retired], (socket) => peers.find((peer) => peer.socket === socket)?.server);
    for (const { socket } of peers) socket.subscribe("7/news");
  });
  afterEach(() => stage.end());

  test("reaches the clients of both", async () => {
    expect(topics.publish("7/news", "hello")).toBe(3);
    await settle(...peers);
    expect(peers.map(({ got }) => got)).toEqual([["hello"], ["hello"], ["hello"]]);
  });

  test("leaves out one socket on the server that it belongs to", async () => {
    expect(topics.publish("7/news", "one", peers[0].socket)).toBe(2);
    expect(topics.publish("7/news", "two", peers[2].socket)).toBe(2);
    await settle(...peers);
    expect(peers.map(({ got }) => got)).toEqual([["two"], ["one", "two"], ["one"]]);
  });

  test("keeps the order", async () => {
    const sent = Array.from({ length: 200 }, (_, event) => String(event));
    for (const frame of sent) topics.publish("7/news", frame);
    await settle(...peers);
    for (const { got } of peers) expect(got).toEqual(sent);
  });
});
