import { ProtocolError } from "@earshot/protocol/errors";
import type { ServerWebSocket, WebSocketHandler } from "bun";
import type { Arrival, Connections } from "#core/connections";
import { Session, type SessionParts } from "#core/session";
import type { Log } from "#observe/log";

/** What a socket carries: how it arrived, then its session; nothing once it was refused. */
export type SocketData = { readonly arrival: Arrival; readonly address: string } | Session | undefined;

/**
 * A message over this size ends the connection with a bare 1009 from the runtime, so it lies well above the largest
 * value that an app may set for maxFrameBytes: within it, our own error answers.
 */
const MAX_PAYLOAD_BYTES = 4 * 1024 * 1024; // ours

/** From the runtime's socket events to the session's words. Nothing throws out of a handler. */
export function websocketHandler(parts: {
  connections: Connections;
  sessionParts: SessionParts;
  maxBackpressureBytes: number;
  log: Log;
}): WebSocketHandler<SocketData> {
  const { connections, sessionParts, log } = parts;
  const guarded = (ws: ServerWebSocket<SocketData>, act: () => void) => {
    try {
      act();
    } catch (problem) {
      log.error({ problem: String(problem) }, "a socket handler failed");
      ws.terminate();
    }
  };
  return {
    maxPayloadLength: MAX_PAYLOAD_BYTES,
    backpressureLimit: parts.maxBackpressureBytes,
    closeOnBackpressureLimit: true,
    idleTimeout: 0, // liveness is the session's own: a dead client is told 4201
    sendPings: false,
    perMessageDeflate: false,
    open(ws) {
      guarded(ws, () => {
        const { data } = ws;
        if (data === undefined || data instanceof Session) return;
        const session = connections.open(data.arrival, ws, sessionParts);
        if (session instanceof ProtocolError) {
          ws.data = undefined;
          log.info(
            { address: data.address, key: data.arrival.key, reason: session.reason },
            "connection refused",
          );
          return;
        }
        log.debug(
          { app: session.appId, socketId: session.socketId, address: data.address },
          "connection opened",
        );
        ws.data = session;
      });
    },
    message(ws, message) {
      guarded(ws, () => {
        const { data } = ws;
        if (!(data instanceof Session)) return;
        if (typeof message === "string") data.receive(message);
        else data.receiveBinary();
      });
    },
    ping(ws) {
      if (ws.data instanceof Session) ws.data.seen();
    },
    pong(ws) {
      if (ws.data instanceof Session) ws.data.seen();
    },
    close(ws, code) {
      guarded(ws, () => {
        const { data } = ws;
        if (!(data instanceof Session)) return;
        log.debug({ app: data.appId, socketId: data.socketId, code }, "connection closed");
        data.closed();
      });
    },
  };
}
