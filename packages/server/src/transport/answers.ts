import type { ProtocolError } from "@earshot/protocol/errors";

const JSON_HEADERS = { "Content-Type": "application/json" };
const TEXT_HEADERS = { "Content-Type": "text/plain; charset=utf-8" };

/** The answer to a publish. */
export function done(): Response {
  return new Response("{}", { headers: JSON_HEADERS });
}

/** Every success of the API: status exactly 200 and a JSON object, because several libraries accept nothing else. */
export function json(value: object): Response {
  return new Response(JSON.stringify(value), { headers: JSON_HEADERS });
}

export function text(status: number, body: string): Response {
  return new Response(body, { status, headers: TEXT_HEADERS });
}

const STREAM_HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store",
  "X-Accel-Buffering": "no", // nginx would hold the events back
};

/** Server-Sent Events. */
export function eventStream(events: ReadableStream<Uint8Array>): Response {
  return new Response(events, { headers: STREAM_HEADERS });
}

/** Plain text as the service answers it; a second line holds what the text does not say. */
export function refusal(failure: ProtocolError): Response {
  const { limit, actual } = failure.measured;
  const details = [
    `reason: ${failure.reason}`,
    ...(limit === undefined ? [] : [`limit: ${limit}`]),
    ...(actual === undefined ? [] : [`actual: ${actual}`]),
    `remedy: ${failure.remedy}`,
  ];
  return text(failure.status, `${failure.message}\n${details.join("; ")}\n`);
}
