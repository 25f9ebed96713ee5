import type { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { mutatedBytes } from "./mutate.ts";
import type { Framing } from "./step.ts";

/** The body of a request and how it is announced. One character a byte. */
export function framed(body: string, framing: Framing): string {
  const length = (bytes: number) => `Content-Length: ${Math.max(bytes, 0)}\r\n`;
  switch (framing) {
    case "length":
      return `${length(body.length)}\r\n${body}`;
    case "short":
      return `${length(body.length + 7)}\r\n${body}`;
    case "long":
      return `${length(body.length - 7)}\r\n${body}`;
    case "none":
      return `\r\n${body}`;
    case "chunked":
      return `Transfer-Encoding: chunked\r\n\r\n${chunks(body)}`;
    case "both":
      return `${length(body.length)}Transfer-Encoding: chunked\r\n\r\n${chunks(body)}`;
    case "wrong":
      return `Content-Length: ${body.length % 2 === 0 ? "-1" : "1e3"}\r\n\r\n${body}`;
  }
}

function chunks(body: string): string {
  const size = Math.max(1, Math.ceil(body.length / 3));
  const parts = body.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
  return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
}

const REQUESTS: readonly [string, ...string[]] = [
  "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  "GET /apps/4711/channels?a=http://b/c HTTP/1.0\r\n\r\n",
  "GET /apps/4711/channels HTTP/1.1\r\nHost: a?b/c\r\nConnection: close\r\n\r\n",
  "GET /apps/4711/../3/channels HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  "GET http://elsewhere/apps/4711/channels HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
  "POST /apps/4711/events HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
  "GET /app/9f1c2e7a4b5d6083c1aa?protocol=7 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  "GET /app/x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 1\r\n\r\n",
  `GET /apps/4711/channels?${"a&".repeat(3_000)} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
  `GET /apps/4711/channels?${"a".repeat(30_000)} HTTP/1.1\r\nHost: h\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: h\r\n${"X: y\r\n".repeat(500)}\r\n`,
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\u0016\u0003\u0001\u0000\u00a5\u0001\u0000\u0000",
  "\r\n\r\n",
  "GET\r\n\r\n",
  "",
];

/** Bytes for the port, with what is nearly HTTP or not at all. */
export function httpBytes(chance: SeededChance): string {
  const bytes = chance.pick(REQUESTS);
  return chance.integer(2) === 0 ? mutatedBytes(chance, bytes) : bytes;
}

/** The answer to this begins a WebSocket. */
export function upgrade(key: string, port: number): string {
  return (
    `GET /app/${key}?protocol=7 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
  );
}
