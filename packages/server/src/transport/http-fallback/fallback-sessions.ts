import { protocolError } from "@earshot/protocol/errors";
import type { Arrival, Connections } from "#core/connections";
import type { Clock } from "#core/ports";
import { Session, type SessionParts } from "#core/session";
import type { Log } from "#observe/log";
import { FallbackSocket } from "./fallback-socket.ts";
import type { FallbackTopics } from "./fallback-topics.ts";
import { Inlet, type InletParts } from "./inlet.ts";

/** How long those who come too late for a goodbye are given it again. */
export const GOODBYE_MS = 5_000; // ours: a few round trips
const MAX_GOODBYES = 10_000; // ours: refusals of strangers must not fill the memory
const MAX_KEY_CHARS = 64; // of an app; a longer one is of none, and not worth remembering

/** A client that was let in. */
export interface FallbackSession {
  readonly session: Session;
  readonly socket: FallbackSocket;
  readonly inlet: Inlet;
  /** Number of the newest receive request. */
  receiveNumber: number | undefined;
  /** Posts whose body is on its way. */
  reading: number;
}

/** Where a receive request finds what to read from. */
export type Attendance = Pick<FallbackSession, "socket"> & Partial<FallbackSession>;

export interface FallbackSessionsParts {
  readonly connections: Connections;
  readonly sessionParts: SessionParts;
  readonly topics: FallbackTopics;
  readonly maxWaitingBytes: number;
  readonly clock: Clock;
  readonly later: InletParts["later"];
  readonly log: Log;
}

/** The sessions by the names that clients gave them, and for a while those that have ended. */
export class FallbackSessions {
  readonly #parts: FallbackSessionsParts;
  readonly #open = new Map<string, FallbackSession>();
  /** In the order of their ends. */
  readonly #ended = new Map<string, { readonly socket: FallbackSocket; readonly endedMs: number }>();

  constructor(parts: FallbackSessionsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#open.size;
  }

  find(name: string): FallbackSession | undefined {
    return this.#open.get(name);
  }

  /** The session of this name; a name that nobody has is that of a new one, which is let in or refused. */
  enter(name: string, arrival: Arrival, address: string): Attendance {
    return this.#open.get(name) ?? this.#ended.get(name) ?? this.#enterAnew(name, arrival, address);
  }

  /** To be called about once a second. */
  tick(): void {
    for (const [name, { session, socket }] of [...this.#open]) {
      if (socket.checkAttendance()) continue;
      this.#open.delete(name);
      session.closed();
      socket.terminate();
    }
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [name, { socket, endedMs }] of this.#ended) {
      if (nowMs - endedMs < GOODBYE_MS && this.#ended.size <= MAX_GOODBYES) break;
      this.#ended.delete(name);
      socket.forget();
    }
  }

  #enterAnew(name: string, arrival: Arrival, address: string): Attendance {
    const { connections, sessionParts, topics, clock, maxWaitingBytes, later, log } = this.#parts;
    let own: FallbackSession | undefined;
    const socket: FallbackSocket = new FallbackSocket({
      topics,
      maxWaitingBytes,
      nowMs: () => clock.monotonicMs(),
      overflowed: (actual) =>
        own?.session.end(protocolError("fallbackBacklog", {}, { limit: maxWaitingBytes, actual })),
      closed: (hasGoodbye) => {
        own?.inlet.close();
        if (this.#open.get(name)?.socket === socket) this.#open.delete(name);
        if (hasGoodbye && (arrival.key ?? "").length <= MAX_KEY_CHARS) this.#remember(name, socket);
      },
    });
    const session = connections.open(arrival, socket, sessionParts);
    if (!(session instanceof Session)) {
      log.info({ address, key: arrival.key, reason: session.reason }, "connection refused");
      return { socket };
    }
    log.debug({ app: session.appId, socketId: session.socketId, address }, "fallback session opened");
    const inlet = new Inlet({
      later,
      take: (messages) => {
        for (const message of messages) session.receive(message);
      },
    });
    own = { session, socket, inlet, receiveNumber: undefined, reading: 0 };
    this.#open.set(name, own);
    return own;
  }

  #remember(name: string, socket: FallbackSocket): void {
    this.#ended.set(name, { socket, endedMs: this.#parts.clock.monotonicMs() });
    if (this.#ended.size <= MAX_GOODBYES) return;
    const [oldest] = this.#ended;
    if (oldest === undefined) return;
    this.#ended.delete(oldest[0]);
    oldest[1].socket.forget();
  }
}
