import { type ClientMessage, parseClientMessage } from "@earshot/protocol/client-message";
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import * as frames from "@earshot/protocol/server-message";
import { bytesOver } from "@earshot/protocol/text-size";
import type { App } from "./app.ts";
import type { LastSecond } from "./last-second.ts";
import type { Answer, Clock, Socket } from "./ports.ts";
import type { AppTally } from "./tally.ts";

/** One channel that a session is in, or is on its way into. */
export interface Subscription {
  readonly channel: string;
  readonly state: "joining" | "joined";
  /** Only on presence channels. */
  readonly userId?: string;
}

/** Who a session is signed in as, or is about to be. */
export interface SessionUser {
  readonly state: "arriving" | "arrived";
  readonly id: string;
  /** The user_info as JSON text. */
  readonly infoJson: string;
  /** Users whose comings and goings the session is told of. */
  readonly watchlist: readonly string[];
}

/** What a session asks of the rest of the core. */
export interface SessionParts {
  readonly clock: Clock;
  readonly maxQueuedMessages: number;
  /** The app as it is now. */
  app(appId: string): App | undefined;
  subscribe(session: Session, app: App, message: Extract<ClientMessage, { type: "subscribe" }>): Answer<void>;
  unsubscribe(session: Session, channel: unknown): Answer<void>;
  signIn(session: Session, app: App, message: Extract<ClientMessage, { type: "signIn" }>): Answer<void>;
  clientEvent(
    session: Session,
    app: App,
    message: Extract<ClientMessage, { type: "clientEvent" }>,
  ): Answer<void>;
  /** Told once, when the session has ended: it leaves its channels and its user. */
  ended(session: Session): void;
  /** A bug or a broken back end: reported, never shown to other clients. */
  failed(session: Session, problem: unknown): void;
}

type Life =
  | { readonly state: "open" }
  /** Asked for a sign of life, and when. */
  | { readonly state: "probed"; readonly sinceMs: number }
  | { readonly state: "ended" };

const OPEN: Life = Object.freeze({ state: "open" });
const ENDED: Life = Object.freeze({ state: "ended" });

/**
 * One connection, from its handshake to its end. Takes one message at a time: what arrives while an answer is awaited
 * waits in a bounded queue, so that subscribe and unsubscribe cannot overtake each other.
 */
export class Session {
  readonly appId: string;
  readonly socketId: string;
  readonly socket: Socket;
  readonly tally: AppTally;
  readonly parts: SessionParts;
  readonly subscriptions = new Map<string, Subscription>();
  user: SessionUser | undefined;
  /** It has signed in, or has been let into a channel that needs a signature. */
  isAuthorized = false;
  /** Made at the first client event. */
  clientEvents: LastSecond | undefined;
  readonly #openedMs: number;
  #life: Life = OPEN;
  #lastSeenMs: number;
  #isBusy = false;
  #queue: string[] | undefined;

  constructor(appId: string, socketId: string, socket: Socket, tally: AppTally, parts: SessionParts) {
    this.appId = appId;
    this.socketId = socketId;
    this.socket = socket;
    this.tally = tally;
    this.parts = parts;
    this.#openedMs = parts.clock.monotonicMs();
    this.#lastSeenMs = this.#openedMs;
  }

  get isOpen(): boolean {
    return this.#life.state !== "ended";
  }

  /** Any sign of life from the client: a message, a ping, a pong. */
  seen(): void {
    this.#lastSeenMs = this.parts.clock.monotonicMs();
    if (this.#life.state === "probed") this.#life = OPEN;
  }

  /** Asks a silent client for a sign of life, and ends the session of one that gives none. */
  checkLiveness(nowMs: number, activityTimeoutMs: number, pongTimeoutMs: number): void {
    if (this.#life.state === "open" && nowMs - this.#lastSeenMs >= activityTimeoutMs) {
      this.#life = { state: "probed", sinceMs: nowMs };
      this.socket.ping();
    } else if (this.#life.state === "probed" && nowMs - this.#life.sinceMs >= pongTimeoutMs) {
      this.end(protocolError("pongTimeout"));
    }
  }

  /** Ends the session of a client that has not shown in time that the application knows it. */
  checkAuthorization(nowMs: number, timeoutMs: number): void {
    if (!this.isAuthorized && nowMs - this.#openedMs >= timeoutMs)
      this.end(protocolError("authorizationTimeout"));
  }

  /** One text frame from the client. Never throws. */
  receive(text: string): void {
    if (!this.isOpen) return;
    this.seen();
    this.tally.messagesReceived++;
    if (this.#isBusy) this.#enqueue(text);
    else this.#handle(text);
  }

  receiveBinary(): void {
    if (!this.isOpen) return;
    this.seen();
    this.tally.messagesReceived++;
    this.refuse(protocolError("frameBinary"));
  }

  send(frame: string): void {
    if (this.isOpen) this.socket.send(frame);
  }

  /** Tells the client what was wrong; the connection lives. */
  refuse(failure: ProtocolError): void {
    this.tally.refused(failure.reason);
    this.send(frames.error(failure));
  }

  /** Ends the session from our side: error frame, then close frame with the same code. */
  end(failure: ProtocolError): void {
    if (!this.isOpen) return;
    this.tally.refused(failure.reason);
    this.socket.send(frames.error(failure));
    this.closed();
    this.socket.close(failure.code ?? 4200, closeReason(failure.message));
  }

  /** The connection is gone, by whoever's doing. Told any number of times, acts once. */
  closed(): void {
    if (!this.isOpen) return;
    this.#life = ENDED;
    this.#queue = undefined;
    this.parts.ended(this);
  }

  #enqueue(text: string): void {
    // What is refused anyway is not kept: a queue of messages that are too large would be a gigabyte.
    const maxBytes = this.parts.app(this.appId)?.limits.maxFrameBytes ?? 0;
    const tooLarge = bytesOver(text, maxBytes);
    if (tooLarge !== undefined) {
      this.refuse(protocolError("frameTooLarge", {}, { limit: maxBytes, actual: tooLarge }));
      return;
    }
    this.#queue ??= [];
    if (this.#queue.length < this.parts.maxQueuedMessages) {
      this.#queue.push(text);
      return;
    }
    const limit = this.parts.maxQueuedMessages;
    this.end(protocolError("queueOverflow", {}, { limit, actual: limit + 1 }));
  }

  #handle(text: string): void {
    try {
      const answer = this.#act(text);
      if (answer instanceof Promise) this.#await(answer);
    } catch (problem) {
      this.#fail(problem);
    }
  }

  #await(answer: Promise<void>): void {
    this.#isBusy = true;
    void answer
      .catch((problem: unknown) => this.#fail(problem))
      .then(() => {
        this.#isBusy = false;
        this.#drain();
      });
  }

  #drain(): void {
    while (!this.#isBusy && this.isOpen) {
      const text = this.#queue?.shift();
      if (text === undefined) return;
      this.#handle(text);
    }
  }

  #fail(problem: unknown): void {
    this.parts.failed(this, problem);
    this.refuse(protocolError("unavailable"));
  }

  #act(text: string): Answer<void> {
    const app = this.parts.app(this.appId);
    if (app === undefined) return;
    const message = parseClientMessage(text, app.limits.maxFrameBytes);
    if (message instanceof ProtocolError) return this.refuse(message);
    switch (message.type) {
      case "ping":
        return this.send(frames.PONG);
      case "pong":
        return;
      case "subscribe":
        return this.parts.subscribe(this, app, message);
      case "unsubscribe":
        return this.parts.unsubscribe(this, message.channel);
      case "signIn":
        return this.parts.signIn(this, app, message);
      case "clientEvent":
        return this.parts.clientEvent(this, app, message);
    }
  }
}

const MAX_CLOSE_REASON_BYTES = 123; // RFC 6455 section 5.5: 125 bytes less the code

/** A close frame's reason: the text, cut at a character where it is too long. */
export function closeReason(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MAX_CLOSE_REASON_BYTES) return text;
  return new TextDecoder().decode(bytes.subarray(0, MAX_CLOSE_REASON_BYTES)).replace(/\uFFFD$/u, "");
}
