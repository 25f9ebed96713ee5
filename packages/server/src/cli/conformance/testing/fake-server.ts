/** Servers that are no good, for tests of the kit. */
import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import type { Target } from "../target.ts";

export interface FakeServer {
  readonly target: Target;
  /** Ends it with all its connections. */
  crash(): void;
}

/** @param behave is told of each piece that a client sends */
export async function startFake(
  behave: (socket: Socket, text: string, server: FakeServer) => void,
): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => behave(socket, String(bytes), fake));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const fake: FakeServer = {
    target: {
      url: new URL(`http://127.0.0.1:${port}`),
      app: { id: "7", key: "key", secret: "secret" },
      answerMs: 100,
    },
    crash: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return fake;
}

export const WELCOME =
  '{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"13.37\\",\\"activity_timeout\\":120}"}';

/** The answer to an upgrade, as it should be. */
export function upgradeAnswer(request: string): string {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

/** A text frame of a server; short texts only. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const header =
    payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from(header), payload]);
}
