/**
 * A back-end that receives webhooks: HTTP/1.1 on bare sockets, so that it can fail in each way in which receivers fail,
 * down to the byte.
 */
import { createServer, type Server, type Socket } from "node:net";

/** What was received, as it came. */
export interface ReceivedWebhook {
  readonly method: string;
  readonly path: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Unix milliseconds at which it was there to its last byte. */
  readonly arrivedMs: number;
}

/** How the receiver treats one request. Only where it says "takes" does the application see it. */
export type Treatment =
  /** Takes a 2xx, refuses with anything else. */
  | { readonly does: "answers"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Takes it, then lets so much time pass before the 200. */
  | { readonly does: "answers late"; readonly afterMs: number }
  /** Takes it, and ends the connection without an answer. */
  | { readonly does: "loses the answer" }
  /** Takes it, and ends the connection in the middle of the body of its 200. */
  | { readonly does: "breaks off the answer" }
  /** Takes it, and answers 200 with so many bytes. */
  | { readonly does: "answers at length"; readonly bytes: number }
  /** Ends the connection instead of an answer, and does not take it. */
  | { readonly does: "hangs up" };

export interface ReceiverOptions {
  /** The application: sees a request before it is answered. Requests reach it in the order of their arrival. */
  readonly take?: (request: ReceivedWebhook) => void | Promise<void>;
  /** Asked for each request; 200 where left out or undefined. */
  readonly treat?: (request: ReceivedWebhook) => Treatment | undefined;
}

export interface WebhookReceiver {
  readonly url: string;
  /** Every request that arrived whole, also those that were refused. */
  readonly received: ReceivedWebhook[];
  /** From now on; instead of what the options say. */
  treat: (request: ReceivedWebhook) => Treatment | undefined;
  /** Nobody listens on the port until `comeUp`. */
  goDown(): Promise<void>;
  comeUp(): Promise<void>;
}

const OK: Treatment = { does: "answers", status: 200 };
const CHUNK_BYTES = 65_536;
const receivers = new Set<WebhookReceiver>();

export async function startWebhookReceiver(options: ReceiverOptions = {}): Promise<WebhookReceiver> {
  const sockets = new Set<Socket>();
  const received: ReceivedWebhook[] = [];
  let server: Server | undefined;
  let port = 0;
  const accept = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    serve(socket, async (request) => {
      const how = receiver.treat(request) ?? OK;
      received.push(request);
      if (isTaken(how)) await options.take?.(request);
      await answer(socket, how);
    });
  };
  const receiver: WebhookReceiver = {
    get url() {
      return `http://127.0.0.1:${port}/webhooks`;
    },
    received,
    treat: options.treat ?? (() => undefined),
    goDown: async () => {
      const closing = server;
      server = undefined;
      for (const socket of sockets) socket.destroy();
      if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
    },
    comeUp: async () => {
      if (server !== undefined) return;
      const opening = createServer(accept);
      server = opening;
      await new Promise<void>((resolve) => opening.listen(port, "127.0.0.1", resolve));
      const address = opening.address();
      if (typeof address === "object" && address !== null) port = address.port;
    },
  };
  await receiver.comeUp();
  receivers.add(receiver);
  return receiver;
}

/** To be called after each test. */
export async function stopWebhookReceivers(): Promise<void> {
  for (const receiver of receivers) await receiver.goDown();
  receivers.clear();
}

/** One connection: a request, its answer, the next request. */
function serve(socket: Socket, handle: (request: ReceivedWebhook) => Promise<void>): void {
  let pending: Buffer = Buffer.alloc(0);
  let isBusy = false;
  const look = async () => {
    for (;;) {
      const read = isBusy || socket.destroyed ? undefined : readRequest(pending);
      if (read === undefined) return;
      pending = pending.subarray(read.size);
      isBusy = true;
      await handle(read.request);
      isBusy = false;
    }
  };
  socket.on("data", (bytes) => {
    pending = Buffer.concat([pending, typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
    void look();
  });
}

function isTaken(how: Treatment): boolean {
  return how.does === "answers" ? how.status >= 200 && how.status < 300 : how.does !== "hangs up";
}

async function answer(socket: Socket, how: Treatment): Promise<void> {
  switch (how.does) {
    case "answers":
      socket.write(`${head(how.status, how.headers, 2)}ok`);
      return;
    case "answers late":
      await Bun.sleep(how.afterMs);
      socket.write(`${head(200, {}, 2)}ok`);
      return;
    case "loses the answer":
    case "hangs up":
      socket.destroy();
      return;
    case "breaks off the answer":
      await new Promise<void>((resolve) => socket.write(`${head(200, {}, 1_000)}half`, () => resolve()));
      socket.destroy();
      return;
    case "answers at length":
      socket.write(head(200, {}, how.bytes));
      await writeAtLength(socket, how.bytes);
  }
}

async function writeAtLength(socket: Socket, bytes: number): Promise<void> {
  const chunk = "x".repeat(CHUNK_BYTES);
  for (let left = bytes; left > 0 && !socket.destroyed; left -= CHUNK_BYTES) {
    const piece = left < CHUNK_BYTES ? chunk.slice(0, left) : chunk;
    if (!socket.write(piece)) {
      await new Promise<void>((resolve) => {
        socket.once("drain", resolve);
        socket.once("close", () => resolve());
      });
    }
  }
}

function head(status: number, headers: Readonly<Record<string, string>> = {}, bytes: number): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Status\r\nContent-Length: ${bytes}\r\n${lines.join("")}\r\n`;
}

/** The first request of the bytes, if it is there to its end. @throws where its length is not told beforehand */
function readRequest(bytes: Buffer): { request: ReceivedWebhook; size: number } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [requestLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const [method = "", path = ""] = requestLine.split(" ");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = headers["content-length"];
  if (length === undefined) throw new Error(`a webhook without Content-Length: ${requestLine}`);
  const size = end + 4 + Number(length);
  if (bytes.length < size) return undefined;
  const body = bytes.subarray(end + 4, size).toString();
  return { request: { method, path, headers, body, arrivedMs: Date.now() }, size };
}
