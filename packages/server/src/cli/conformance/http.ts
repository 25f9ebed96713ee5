/** HTTP/1.1 on a bare connection: the request leaves exactly as it is written, and an answer is seen while it comes. */
import type { Socket } from "node:net";
import { Finding, must, shown } from "./finding.ts";
import { parsed, recordOf } from "./frame.ts";
import { openSocket } from "./socket.ts";
import type { Target } from "./target.ts";

export interface Request {
  readonly method: string;
  /** Path and query, as they stand in the request line. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer that has come to its end. */
export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** @throws Finding where the body is no JSON object */
  json(): Readonly<Record<string, unknown>>;
}

const MAX_ANSWER_CHARS = 64 * 1024 * 1024; // ours: no server of this protocol says as much

/** An answer under way. */
export class Exchange {
  readonly #socket: Socket;
  readonly #answerMs: number;
  readonly #done = Promise.withResolvers<void>();
  readonly #waiters = new Set<() => void>();
  #pending: Buffer = Buffer.alloc(0);
  #status = 0;
  #headers: ReadonlyMap<string, string> = new Map();
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #isDone = false;

  private constructor(socket: Socket, answerMs: number) {
    this.#socket = socket;
    this.#answerMs = answerMs;
    this.#done.promise.catch(() => undefined); // a check that has failed elsewhere no longer waits
  }

  static async start(target: Target, request: Request, url: URL = target.url): Promise<Exchange> {
    const socket = await openSocket(target, url);
    const exchange = new Exchange(socket, target.answerMs);
    socket.on("data", (bytes: Uint8Array) => exchange.#take(bytes));
    socket.on("close", () => exchange.#end());
    socket.on("error", () => exchange.#end());
    const headers: Record<string, string> = { Host: url.host, Connection: "close", ...request.headers };
    if (request.body !== undefined || request.method === "POST")
      headers["Content-Length"] = String(Buffer.byteLength(request.body ?? ""));
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${request.method} ${request.path} HTTP/1.1\r\n${lines.join("")}\r\n${request.body ?? ""}`);
    return exchange;
  }

  #take(bytes: Uint8Array): void {
    if (this.#isDone) return;
    this.#pending = Buffer.concat([this.#pending, bytes]);
    try {
      if (this.#status === 0) this.#readHead();
      if (this.#status !== 0) this.#readBody();
      if (this.#bodyBytes > MAX_ANSWER_CHARS) throw new Finding("the answer never ends");
    } catch (problem) {
      this.#isDone = true;
      this.#done.reject(problem);
      this.#socket.destroy();
    }
    for (const wake of this.#waiters) wake();
  }

  #readHead(): void {
    const end = this.#pending.indexOf("\r\n\r\n");
    if (end < 0) {
      const isHttp = "HTTP/1.1 ".startsWith(this.#pending.subarray(0, 9).toString());
      if (!isHttp) throw new Finding(`the answer is not HTTP: ${shown(this.#pending.toString())}`);
      return;
    }
    const [statusLine = "", ...lines] = this.#pending.subarray(0, end).toString().split("\r\n");
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1];
    if (status === undefined) throw new Finding(`the answer is not HTTP: ${shown(statusLine)}`);
    this.#pending = this.#pending.subarray(end + 4);
    this.#status = Number(status);
    this.#headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    if (this.#status === 204 || this.#status === 304) this.#finish();
  }

  #readBody(): void {
    if (this.#isChunked()) {
      this.#readChunks();
      return;
    }
    this.#add(this.#pending);
    this.#pending = Buffer.alloc(0);
    const length = this.#headers.get("content-length");
    if (length !== undefined && this.#bodyBytes >= Number(length)) this.#finish();
  }

  #readChunks(): void {
    for (;;) {
      const end = this.#pending.indexOf("\r\n");
      if (end < 0) return;
      const size = Number.parseInt(this.#pending.subarray(0, end).toString(), 16);
      if (!Number.isInteger(size)) throw new Finding("a chunk of the answer has no size");
      if (size === 0) {
        this.#finish();
        return;
      }
      if (this.#pending.length < end + 2 + size + 2) return;
      this.#add(this.#pending.subarray(end + 2, end + 2 + size));
      this.#pending = this.#pending.subarray(end + 2 + size + 2);
    }
  }

  #isChunked(): boolean {
    return /\bchunked\b/i.test(this.#headers.get("transfer-encoding") ?? "");
  }

  #add(bytes: Buffer): void {
    this.#body.push(Buffer.from(bytes));
    this.#bodyBytes += bytes.length;
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#done.resolve();
    this.#socket.destroy();
  }

  /** The connection has ended: the end of the answer, where that has no other. */
  #end(): void {
    if (this.#isDone) return;
    const hasEnd = this.#headers.has("content-length") || this.#isChunked();
    this.#isDone = true;
    if (this.#status !== 0 && !hasEnd) this.#done.resolve();
    else
      this.#done.reject(
        new Finding(
          this.#status === 0
            ? "the connection was ended without an answer"
            : "the connection was ended amid the answer",
        ),
      );
    for (const wake of this.#waiters) wake();
  }

  get status(): number {
    return this.#status;
  }

  get headers(): ReadonlyMap<string, string> {
    return this.#headers;
  }

  /** The body as far as it has come. */
  get text(): string {
    return Buffer.concat(this.#body).toString();
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Waits until something is so. @throws Finding where it is not in time */
  async until(isSo: () => boolean, what: string, timeoutMs = this.#answerMs): Promise<void> {
    if (isSo()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => {
      if (isSo()) resolve();
      else if (this.#isDone) reject(new Finding(`the answer ended before ${what}: ${shown(this.text)}`));
    };
    const timer = setTimeout(
      () =>
        reject(
          new Finding(
            `${what} did not come within ${timeoutMs / 1_000} s; ${this.#status === 0 ? "no answer at all" : `so far ${shown(this.text.slice(-240))}`}`,
          ),
        ),
      timeoutMs,
    );
    this.#waiters.add(look);
    try {
      look();
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(look);
    }
  }

  /** @throws Finding where the answer does not end in time */
  async answer(timeoutMs = this.#answerMs): Promise<Answer> {
    const late = new Finding(`the request was not answered within ${timeoutMs / 1_000} s`);
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(late), timeoutMs);
    try {
      await Promise.race([this.#done.promise, promise]);
    } finally {
      clearTimeout(timer);
      this.abort();
    }
    const body = this.text;
    return { status: this.#status, headers: this.#headers, body, json: () => jsonOf(this.#status, body) };
  }

  /** Goes away without a word. */
  abort(): void {
    this.#isDone = true;
    this.#socket.destroy();
  }
}

function jsonOf(status: number, body: string): Readonly<Record<string, unknown>> {
  const value = recordOf(parsed(body));
  must(value !== undefined, () => `the answer is no JSON object: ${status} ${shown(body)}`);
  return value;
}
