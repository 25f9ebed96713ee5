import { afterEach, describe, expect, test } from "bun:test";
import { connect, type PeerCertificate } from "node:tls";
import type { Socket } from "#core/ports";
import { selfSigned } from "../../../../test/support/self-signed.ts";
import { type Certificate, Listener } from "./listener.ts";
import { NativeTopics } from "./topics.ts";

const running: Listener[] = [];

/** A listener that subscribes everybody to one topic. */
function listen(certificate: Certificate | undefined, port = 0) {
  const topics = new NativeTopics();
  const sockets: Socket[] = [];
  const failures: unknown[] = [];
  const listener = new Listener(
    {
      host: "127.0.0.1",
      port,
      maxRequestBytes: 1_000,
      topics,
      websocket: {
        open: (socket) => {
          socket.subscribe("7/news");
          sockets.push(socket);
        },
        message: () => {},
      },
      fetch: (request, server, isTls) => {
        if (request.url.endsWith("/throw")) throw new Error("a bug");
        return server.upgrade(request, { data: undefined }) ? undefined : new Response(`tls: ${isTls}`);
      },
      failed: (problem) => failures.push(problem),
    },
    certificate,
  );
  running.push(listener);
  return { listener, topics, sockets, failures };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((listener) => listener.stop()));
});

async function open(port: number, protocol = "wss") {
  const socket = new WebSocket(`${protocol}://127.0.0.1:${port}/`, { tls: { rejectUnauthorized: false } });
  const got: string[] = [];
  socket.addEventListener("message", ({ data }) => got.push(String(data)));
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener("close", ({ code }) => resolve(code)),
  );
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  return { socket, got, closed };
}

function presented(port: number): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate());
      socket.end();
    });
    socket.on("error", reject);
  });
}

async function arrived(got: readonly string[], count: number): Promise<void> {
  while (got.length < count) await Bun.sleep(1);
}

describe("the port", () => {
  test("is any free one where 0 is asked for, and refused where it is in use", () => {
    const { listener } = listen(undefined);
    expect(listener.port).toBeGreaterThan(0);
    expect(() => listen(undefined, listener.port)).toThrow();
  });

  test("answers a throw with 500 and a line that tells nothing, and reports it", async () => {
    const { listener, failures } = listen(undefined);
    const answer = await fetch(`http://127.0.0.1:${listener.port}/throw`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).toBe("The server could not answer; its log says why.\n");
    expect(failures).toEqual([new Error("a bug")]);
  });

  test("lets nobody in after stopAccepting, and keeps those who are in", async () => {
    const { listener, topics } = listen(undefined);
    const client = await open(listener.port, "ws");
    listener.stopAccepting();
    expect(listener.openConnections).toBe(1);
    topics.publish("7/news", "still here");
    await arrived(client.got, 1);
    expect(client.got).toEqual(["still here"]);
    expect(await fetch(`http://127.0.0.1:${listener.port}/`).then(String, () => "refused")).toBe("refused");
  });
});

describe("a new certificate", () => {
  test("is shown to those who come, on the same port, while the others stay", async () => {
    const { listener, topics } = listen(selfSigned("first"));
    const { port } = listener;
    expect((await presented(port)).subject.CN).toBe("first");
    const before = await open(port);
    listener.renew(selfSigned("second"));
    expect(listener.port).toBe(port);
    expect((await presented(port)).subject.CN).toBe("second");
    const after = await open(port);
    expect(listener.openConnections).toBe(2);
    expect(topics.publish("7/news", "to both")).toBe(2);
    await Promise.all([arrived(before.got, 1), arrived(after.got, 1)]);
    expect([before.got, after.got]).toEqual([["to both"], ["to both"]]);
  });

  test("does not change who is left out of a publish", async () => {
    const { listener, topics, sockets } = listen(selfSigned("first"));
    const before = await open(listener.port);
    const other = await open(listener.port);
    listener.renew(selfSigned("second"));
    const after = await open(listener.port);
    expect(topics.publish("7/news", "not for the first", sockets[0])).toBe(2);
    expect(topics.publish("7/news", "not for the last", sockets[2])).toBe(2);
    await Promise.all([arrived(before.got, 1), arrived(other.got, 2), arrived(after.got, 1)]);
    expect(before.got).toEqual(["not for the last"]);
    expect(other.got).toEqual(["not for the first", "not for the last"]);
    expect(after.got).toEqual(["not for the first"]);
  });

  test("that cannot be used leaves the old one in use", async () => {
    const { listener } = listen(selfSigned("first"));
    const { port } = listener;
    const wrong = {
      cert: selfSigned("second").cert,
      key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    };
    expect(() => listener.renew(wrong)).toThrow();
    expect((await presented(port)).subject.CN).toBe("first");
    listener.renew(selfSigned("third"));
    expect((await presented(port)).subject.CN).toBe("third");
  });

  test("of another key than the one beside it leaves the old one in use", async () => {
    const { listener } = listen(selfSigned("first"));
    const mixed = { cert: selfSigned("second").cert, key: selfSigned("third").key };
    expect(() => listener.renew(mixed)).toThrow();
    expect((await presented(listener.port)).subject.CN).toBe("first");
  });

  test("may come again and again; servers without clients are forgotten, stop ends them all", async () => {
    const { listener, topics } = listen(selfSigned("first"));
    const clients = [await open(listener.port)];
    for (let round = 0; round < 3; round++) {
      listener.renew(selfSigned(`next ${round}`));
      clients.push(await open(listener.port));
    }
    expect(topics.publish("7/news", "to all")).toBe(4);
    await Promise.all(clients.map(({ got }) => arrived(got, 1)));
    expect(listener.openConnections).toBe(4);
    await listener.stop();
    for (const { closed } of clients) expect(await closed).toBeGreaterThan(0);
  });
});
