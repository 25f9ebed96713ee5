import type { ProtocolError } from "@earshot/protocol/errors";
import { refusal } from "../answers.ts";

/** The requests carry no credentials: any page may read the answers. Who may connect is decided inside the session. */
const ANY_ORIGIN = { "Access-Control-Allow-Origin": "*" };

const LINES = {
  ...ANY_ORIGIN,
  "Content-Type": "application/javascript; charset=UTF-8", // as SockJS servers; browsers do not hold it back to sniff it
  "Cache-Control": "no-store, no-transform", // a proxy that compresses would gather lines instead of passing them on
  "X-Accel-Buffering": "no",
};

/** The answer to a receive request. */
export function openAnswer(body: ReadableStream<Uint8Array> | Blob): Response {
  return new Response(body, { headers: LINES });
}

export function accepted(): Response {
  return new Response(null, { status: 204, headers: { ...ANY_ORIGIN, "Cache-Control": "no-store" } });
}

/** Each request of a page has an address of its own, so that none of these is remembered. */
export function preflight(): Response {
  const allowed = {
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "content-type",
  };
  return new Response(null, { status: 204, headers: { ...ANY_ORIGIN, ...allowed } });
}

export function refused(failure: ProtocolError): Response {
  const response = refusal(failure);
  for (const [name, value] of Object.entries(ANY_ORIGIN)) response.headers.set(name, value);
  response.headers.set("Cache-Control", "no-store");
  return response;
}
