import type { Target } from "./target.ts";

/** A server that says nothing for so long does not speak the fallback. */
const SILENCE_MS = 5_000;
const ID_CHARS = "0123456789abcdefghijklmnopqrstuv";

/** Streaming sessions of the HTTP fallback that are open and hear nothing. */
export interface FallbackSessions {
  /** 0 where the server has no fallback. */
  readonly open: number;
  close(): void;
}

/** Opens `count` sessions as pusher-js does, and waits until each was welcomed. */
export async function openFallbackSessions(target: Target, count: number): Promise<FallbackSessions> {
  const opened = await Promise.all(Array.from({ length: count }, (_, index) => openSession(target, index)));
  const sockets = opened.filter((socket) => socket !== undefined);
  return {
    open: sockets.length,
    close: () => {
      for (const socket of sockets) socket.terminate();
    },
  };
}

async function openSession(target: Target, index: number): Promise<Bun.Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const [host] = target.hosts;
  let text = "";
  const socket = await Bun.connect({
    hostname: host,
    port: target.port,
    socket: {
      open(opened) {
        opened.write(request(target, host, index));
      },
      data(_, bytes) {
        if (text === "welcomed") return;
        text += bytes.toString("latin1");
        if (text.includes("connection_established")) {
          text = "welcomed";
          resolve(true);
        } else if (!text.startsWith("HTTP/1.1 200")) resolve(false);
      },
      close: () => resolve(false),
    },
  });
  const patience = setTimeout(() => resolve(false), SILENCE_MS);
  const isWelcome = await promise;
  clearTimeout(patience);
  if (isWelcome) return socket;
  socket.terminate();
  return undefined;
}

function request(target: Target, host: string, index: number): string {
  const id = Array.from({ length: 8 }, (_, place) => ID_CHARS[(index >> (place * 5)) & 31]).join("");
  const path = `/pusher/app/${target.key}/${index % 1_000}/${id}/xhr_streaming`;
  const query = `protocol=7&client=js&version=8.6.0&t=${Date.now()}&n=1`;
  return `POST ${path}?${query} HTTP/1.1\r\nHost: ${host}:${target.port}\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n`;
}
