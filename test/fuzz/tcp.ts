import { connect } from "node:net";

const MAX_WAIT_MS = 500; // ours: what is not answered by then is not answered; most connections end at once

/** Sends bytes on a connection of their own, then nothing more; returns all that came back, one character a byte. */
export function exchange(port: number, bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.end(bytes));
    const timer = setTimeout(() => socket.destroy(), MAX_WAIT_MS);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined); // a connection that the server resets is a way of saying no
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString("latin1"));
    });
  });
}

export interface RawAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The first HTTP answer in what came back, or undefined where there is none. */
export function firstAnswer(received: string): RawAnswer | undefined {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1];
  const end = received.indexOf("\r\n\r\n");
  if (status === undefined || end < 0) return undefined;
  const head = received.slice(0, end);
  const contentType = /^content-type: (.*)$/im.exec(head)?.[1]?.trim() ?? "";
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? received.length);
  const body = Buffer.from(received.slice(end + 4, end + 4 + length), "latin1").toString();
  return { status: Number(status), contentType, body };
}
