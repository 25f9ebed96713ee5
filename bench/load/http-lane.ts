import type { Socket } from "bun";
import { type HttpAnswer, parseAnswer } from "./http-answer.ts";
import type { Target } from "./target.ts";

type OnAnswer = (answer: HttpAnswer) => void;

/**
 * One keep-alive connection to the HTTP API, with one request in flight. A server that answers `Connection: close`, or closes, gets a
 * new connection for the next request, as a server library would make it.
 */
export class HttpLane {
  readonly #target: Target;
  #socket: Socket<HttpLane> | undefined;
  #text = "";
  #onAnswer: OnAnswer | undefined;
  #closing = false;

  constructor(target: Target) {
    this.#target = target;
  }

  async open(): Promise<void> {
    this.#socket = await Bun.connect<HttpLane>({
      hostname: this.#target.hosts[0],
      port: this.#target.port,
      data: this,
      socket: HANDLERS,
    });
    this.#socket.setNoDelay(true);
  }

  /** Writes one request; its answer, or `{ status: 0 }` when the connection broke, comes later. */
  send(request: Uint8Array, onAnswer: OnAnswer): void {
    if (this.#onAnswer !== undefined) throw new Error("a lane has one request in flight");
    this.#onAnswer = onAnswer;
    if (this.#socket === undefined) {
      this.open().then(
        () => this.#write(request),
        (reason: unknown) => this.#answer(broken(String(reason))),
      );
    } else {
      this.#write(request);
    }
  }

  close(): void {
    this.#closing = true;
    this.#socket?.end();
  }

  received(chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
    const answer = parseAnswer(this.#text);
    if (answer === undefined) return;
    this.#text = "";
    if (answer.closes) {
      const last = this.#socket;
      this.#socket = undefined; // before end(), which may call ended() at once
      last?.end();
    }
    this.#answer(answer);
  }

  ended(socket: Socket<HttpLane>): void {
    if (socket !== this.#socket) return; // given up before, with its last answer
    this.#socket = undefined;
    this.#text = "";
    if (!this.#closing) this.#answer(broken("the server closed the connection"));
  }

  #write(request: Uint8Array): void {
    const written = this.#socket?.write(request);
    if (written !== request.length)
      throw new Error(`only ${written} of ${request.length} bytes of a request were taken`);
  }

  #answer(answer: HttpAnswer): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    onAnswer?.(answer);
  }
}

function broken(why: string): HttpAnswer {
  return { status: 0, closes: true, body: why };
}

const HANDLERS = {
  data(socket: Bun.Socket<HttpLane>, chunk: Buffer): void {
    socket.data.received(chunk);
  },
  close(socket: Bun.Socket<HttpLane>): void {
    socket.data.ended(socket);
  },
  error(): void {}, // "close" follows
};
