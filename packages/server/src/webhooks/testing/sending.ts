import { afterEach } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { Sender, type SenderParts, type SendResult } from "../sender.ts";

const clock = { monotonicMs: () => performance.now() };

export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

export const post = (url: string, headers: Record<string, string> = {}, body = '{"events":[]}') => ({
  url,
  headers: { "Content-Type": "application/json", ...headers },
  body,
});

export function problemOf(result: SendResult): string {
  return result.answered ? `answered ${result.status}` : result.problem;
}

type Tls = NonNullable<Bun.Serve.Options<undefined>["tls"]>;

/** Senders and receivers of a test file, which end after each of its tests. */
export function sending() {
  const ends: (() => unknown)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  function senderOf(parts: Partial<SenderParts> = {}) {
    const sender = new Sender({ timeoutMs: 5_000, targets: "any", clock, ...parts });
    ends.push(() => sender.close());
    return sender;
  }

  /** A receiver that speaks HTTP as it should. */
  function receiver(
    answer: (request: Request, server: Bun.Server<undefined>) => Response | Promise<Response>,
    tls?: Tls,
  ) {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      fetch: answer,
      ...(tls === undefined ? {} : { tls }),
    });
    ends.push(() => server.stop(true));
    return server;
  }

  /** A receiver that answers the n-th request of all its connections with these bytes, or does what it likes. */
  async function rawReceiver(act: (socket: Socket, request: string, requests: number) => void) {
    const sockets = new Set<Socket>();
    const seen = { connections: 0, requests: 0, closed: 0, resets: 0, texts: [] as string[] };
    const server: Server = createServer((socket) => {
      seen.connections++;
      sockets.add(socket);
      socket.on("error", () => seen.resets++);
      socket.on("close", () => seen.closed++);
      socket.on("data", (bytes) => {
        seen.texts.push(bytes.toString("latin1"));
        act(socket, String(bytes), ++seen.requests);
      });
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    ends.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const address = server.address();
    return { seen, port: typeof address === "object" && address !== null ? address.port : 0 };
  }

  return { senderOf, receiver, rawReceiver };
}
