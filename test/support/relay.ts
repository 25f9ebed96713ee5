/**
 * Stands between a client and the server: passes everything on in both directions, writes it down, and lets a test say
 * to the client what the server would only say in circumstances that a test cannot bring about.
 */
import type { ServerWebSocket } from "bun";

export interface Relay {
  readonly host: string;
  readonly port: number;
  /** Texts that the client sent, over all its connections. */
  readonly fromClient: string[];
  /** When each connection was opened, in milliseconds of a monotonic clock. */
  readonly openedMs: number[];
  /** Says something to the client. */
  say(text: string): void;
  /** Closes the client's connection, and the one to the server. */
  close(code: number, reason: string): void;
  stop(): Promise<void>;
}

interface Line {
  readonly path: string;
  upstream?: WebSocket;
}

/** @param to the server; may be changed in between, as a load balancer does */
export function startRelay(to: { readonly url: string }): Relay {
  const fromClient: string[] = [];
  const openedMs: number[] = [];
  let current: ServerWebSocket<Line> | undefined;
  const server = Bun.serve<Line>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => {
      const { pathname, search } = new URL(request.url);
      return self.upgrade(request, { data: { path: pathname + search } })
        ? undefined
        : new Response("a relay for WebSockets", { status: 400 });
    },
    websocket: {
      open: (client) => {
        openedMs.push(performance.now());
        current = client;
        const upstream = new WebSocket(`${to.url.replace(/^http/, "ws")}${client.data.path}`);
        client.data.upstream = upstream;
        upstream.addEventListener("message", ({ data }) => client.send(String(data)));
        upstream.addEventListener("close", ({ code, reason }) => client.close(code, reason));
      },
      message: (client, message) => {
        fromClient.push(String(message));
        client.data.upstream?.send(String(message)); // a client speaks only after the server's first frame
      },
      close: (client) => client.data.upstream?.close(),
    },
  });
  return {
    host: "127.0.0.1",
    port: server.port ?? 0,
    fromClient,
    openedMs,
    say: (text) => current?.send(text),
    close: (code, reason) => current?.close(code, reason),
    stop: () => server.stop(true),
  };
}
