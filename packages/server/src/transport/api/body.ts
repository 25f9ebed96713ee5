import { ProtocolError, protocolError } from "@earshot/protocol/errors";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The raw bytes of a request, never more than the limit. A body that says it is larger is not read at all. */
export function readBody(
  request: Request,
  maxBytes: number,
): ProtocolError | Promise<Uint8Array | ProtocolError> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) return tooLarge(maxBytes, announced);
  return request.bytes().then(
    (body) => (body.length <= maxBytes ? body : tooLarge(maxBytes, body.length)),
    // The caller went away, or a body without a length grew past what the listener reads.
    () => protocolError("apiBodyInvalid", { problem: `it broke off, or was longer than ${maxBytes} bytes` }),
  );
}

function tooLarge(limit: number, actual: number): ProtocolError {
  return protocolError("apiBodyTooLarge", {}, { limit, actual });
}

/** The body as text, or why it is none. */
export function bodyText(body: Uint8Array): string | ProtocolError {
  try {
    return utf8.decode(body);
  } catch {
    return protocolError("apiBodyInvalid", { problem: "it is not UTF-8" });
  }
}

/** The body as JSON; undefined where there is none. */
export function bodyJson(body: Uint8Array): unknown {
  if (body.length === 0) return undefined;
  const text = bodyText(body);
  if (text instanceof ProtocolError) return text;
  try {
    return JSON.parse(text);
  } catch {
    return protocolError("apiBodyInvalid", { problem: "it is not JSON" });
  }
}
