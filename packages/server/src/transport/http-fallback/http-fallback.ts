/**
 * xhr_streaming and xhr_polling, as pusher-js speaks them where a WebSocket does not come through.
 *
 * @see docs/protocol/fallback.md
 */
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import type { Query } from "@earshot/protocol/query";
import type { Arrival } from "#core/connections";
import type { AppStore } from "#core/ports";
import type { Tallies } from "#core/tally";
import { readBody } from "../api/body.ts";
import { requestPath } from "../request-path.ts";
import { accepted, openAnswer, preflight, refused } from "./answers.ts";
import type { Attendance, FallbackSession, FallbackSessions } from "./fallback-sessions.ts";
import { requestNumber } from "./inlet.ts";
import { PollReceiver } from "./poll-receiver.ts";
import { readPostedMessages } from "./posted-messages.ts";
import type { Patience, Receiver } from "./receiver.ts";
import { isSessionId, type SessionPath } from "./session-path.ts";
import { StreamReceiver } from "./stream-receiver.ts";

/** A request for a path of the fallback, as the router found it. */
export interface FallbackCall {
  readonly request: Request;
  readonly path: SessionPath;
  readonly query: Query;
  readonly arrival: Arrival;
  readonly address: string;
  readonly patience: Patience;
}

export interface HttpFallbackParts {
  readonly sessions: FallbackSessions;
  readonly apps: AppStore;
  readonly tallies: Tallies;
  readonly maxBodyBytes: number;
  readonly maxQueuedMessages: number;
}

/** From requests to sessions. Nothing throws out of it. */
export class HttpFallback {
  readonly #parts: HttpFallbackParts;

  constructor(parts: HttpFallbackParts) {
    this.#parts = parts;
  }

  /** Sessions that are open. */
  get sessions(): number {
    return this.#parts.sessions.count;
  }

  answer(call: FallbackCall): Response | Promise<Response> {
    const { path, request } = call;
    const { method } = request;
    if (method === "OPTIONS") return preflight();
    if (method !== "POST") {
      const values = { method, path: requestPath(request.url).path, allowed: "POST" };
      return this.#refuse(path, protocolError("apiMethodWrong", values));
    }
    if (!isSessionId(path.id)) return this.#refuse(path, sessionUnknown(path));
    return path.action === "xhr_send" ? this.#send(call) : this.#receive(call);
  }

  /** To be called about once a second. */
  tick(): void {
    this.#parts.sessions.tick();
  }

  #receive(call: FallbackCall): Response | Promise<Response> {
    const { path, query, arrival, address, request, patience } = call;
    const attendance = this.#parts.sessions.enter(nameOf(path), arrival, address);
    const number = requestNumber(query.get("n"));
    if (isOutdated(attendance, number)) return openAnswer(new Blob());
    attendance.session?.seen();
    attendance.inlet?.skip(number);
    const { socket } = attendance;
    const events = {
      drained: (): void => socket.drained(receiver),
      ended: (): void => socket.detach(receiver),
    };
    const receiver: Receiver & { readonly response: Response | Promise<Response> } =
      path.action === "xhr"
        ? new PollReceiver(events, patience, request.signal)
        : new StreamReceiver(events, patience);
    socket.attach(receiver);
    return receiver.response;
  }

  async #send(call: FallbackCall): Promise<Response> {
    const { path, query, request } = call;
    const found = this.#parts.sessions.find(nameOf(path));
    if (found === undefined) return this.#refuse(path, sessionUnknown(path));
    const { session, socket, inlet } = found;
    session.seen();
    const limit = this.#parts.maxQueuedMessages;
    if (inlet.waiting + found.reading >= limit) {
      const overflow = protocolError("queueOverflow", {}, { limit, actual: limit + 1 });
      session.end(overflow);
      return refused(overflow);
    }
    const number = requestNumber(query.get("n"));
    const messages = await this.#readMessages(found, request);
    if (messages instanceof ProtocolError) {
      inlet.skip(number);
      session.refuse(messages);
      return refused(messages);
    }
    if (!session.isOpen) return this.#refuse(path, sessionUnknown(path));
    if (messages.length === 0) socket.acknowledge();
    inlet.put(number, messages);
    return accepted();
  }

  async #readMessages(found: FallbackSession, request: Request): Promise<readonly string[] | ProtocolError> {
    found.reading++;
    try {
      const body = await readBody(request, this.#parts.maxBodyBytes);
      return body instanceof ProtocolError ? body : readPostedMessages(body);
    } finally {
      found.reading--;
    }
  }

  #refuse({ key }: SessionPath, failure: ProtocolError): Response {
    this.#parts.tallies.of(this.#parts.apps.byKey(key)?.app.id ?? "").refused(failure.reason);
    return refused(failure);
  }
}

function nameOf({ key, id }: SessionPath): string {
  return `${key}/${id}`;
}

function sessionUnknown({ id }: SessionPath): ProtocolError {
  return protocolError("fallbackSessionUnknown", { session: id });
}

/** A request that the client had given up for a newer one can arrive after that. */
function isOutdated(attendance: Attendance, number: number | undefined): boolean {
  if (number === undefined || attendance.inlet === undefined) return false;
  const newest = attendance.receiveNumber;
  if (newest !== undefined && number < newest) return true;
  attendance.receiveNumber = number;
  return false;
}
