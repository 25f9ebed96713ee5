import { type ProtocolError, protocolError } from "./errors.ts";
import { MAX_TIMESTAMP_SKEW_SECONDS } from "./limits.ts";
import type { Query } from "./query.ts";
import {
  apiStringToSign,
  type Digest,
  equalInConstantTime,
  type KeyPair,
  type Parameter,
} from "./signature.ts";

/** A request as it came over the wire. */
export interface SignedRequest {
  readonly method: string;
  /** As requested, without query. */
  readonly path: string;
  /** The path without a prefix that the server is mounted under, where that differs: php signs this one. */
  readonly pathWithoutPrefix?: string | undefined;
  readonly query: Query;
}

/**
 * Checks in the order of the reference implementation: key, version, timestamp, signature. The body is covered through
 * its hash, so this can be done before a body is read; `verifyBody` then ties the two together.
 *
 * @param findPair the active pair of the app for this key
 * @see docs/protocol/signatures.md#api
 */
export function verifyApiRequest(
  digest: Digest,
  request: SignedRequest,
  app: { readonly id: string; findPair(key: string): KeyPair | undefined },
  nowSeconds: number,
): ProtocolError | undefined {
  const { query } = request;
  const key = query.get("auth_key");
  if (key === undefined) return protocolError("apiKeyMissing");
  const pair = app.findPair(key);
  if (pair === undefined) return protocolError("apiKeyUnknown", { app: app.id });
  const version = query.get("auth_version");
  if (version === undefined) return protocolError("apiVersionMissing");
  if (version !== "1.0") return protocolError("apiVersionUnsupported");
  return checkTimestamp(query.get("auth_timestamp"), nowSeconds) ?? checkSignature(digest, request, pair);
}

function checkTimestamp(given: string | undefined, nowSeconds: number): ProtocolError | undefined {
  if (given === undefined || !/^\d{1,12}$/.test(given)) return protocolError("apiTimestampMissing");
  if (Math.abs(nowSeconds - Number(given)) < MAX_TIMESTAMP_SKEW_SECONDS) return undefined;
  return protocolError("apiTimestampExpired", {
    given: isoSeconds(Number(given)),
    server: isoSeconds(nowSeconds),
  });
}

function isoSeconds(unixSeconds: number): string {
  return `${new Date(Math.floor(unixSeconds) * 1_000).toISOString().slice(0, -5)}Z`;
}

function checkSignature(digest: Digest, request: SignedRequest, pair: KeyPair): ProtocolError | undefined {
  const given = request.query.get("auth_signature") ?? "";
  const sent = asSent(request);
  if (sent !== undefined && equalInConstantTime(digest.hmacSha256Hex(pair.secret, sent), given))
    return undefined;
  const expected = apiStringToSign(request.method, request.path, request.query.parameters);
  if (equalInConstantTime(digest.hmacSha256Hex(pair.secret, expected), given)) return undefined;
  for (const text of otherReadings(request)) {
    if (equalInConstantTime(digest.hmacSha256Hex(pair.secret, text), given)) return undefined;
  }
  return protocolError("apiSignatureInvalid", {
    signed: JSON.stringify(expected),
    got: JSON.stringify(given),
  });
}

const SIGNATURE_MARK = "&auth_signature=";

/**
 * Most libraries send the parameters in the order in which they sign them, the signature last and nothing escaped: then
 * the text that was signed stands in the request. That is a quick first reading, never the only one.
 */
function asSent({ method, path, query }: SignedRequest): string | undefined {
  if (!query.isPlain) return undefined;
  const end = query.raw.lastIndexOf(SIGNATURE_MARK);
  if (end < 0 || query.raw.indexOf("&", end + 1) >= 0) return undefined;
  return `${method}\n${path}\n${query.raw.slice(0, end)}`;
}

/** What some library would have signed for the same request. Only looked at when the usual reading fails. */
function* otherReadings(request: SignedRequest): Generator<string> {
  const paths = [request.path];
  if (request.pathWithoutPrefix !== undefined) paths.push(request.pathWithoutPrefix);
  const readings: (readonly Parameter[])[] = [request.query.parameters];
  const literal = request.query.withLiteralPlus();
  if (literal !== undefined) readings.push(literal);
  const joined = joinLists(request.query.parameters);
  if (joined !== undefined) readings.push(joined);
  for (const path of paths)
    for (const reading of readings) yield apiStringToSign(request.method, path, reading);
}

/** `channels[]=a&channels[]=b` signed as `channels=a,b`. */
function joinLists(parameters: readonly Parameter[]): readonly Parameter[] | undefined {
  if (!parameters.some(([key]) => key.endsWith("[]"))) return undefined;
  const joined = new Map<string, string>();
  for (const [key, value] of parameters) {
    const name = key.endsWith("[]") ? key.slice(0, -2) : key;
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before},${value}`);
  }
  return [...joined];
}

/** A hash is needed for a body, and right wherever it is given: some libraries hash the empty body of a GET. */
export function verifyBody(digest: Digest, query: Query, body: Uint8Array): ProtocolError | undefined {
  const given = query.get("body_md5");
  if (given === undefined) return body.length === 0 ? undefined : protocolError("apiBodyHashMissing");
  const expected = digest.md5Hex(body);
  return equalInConstantTime(expected, given)
    ? undefined
    : protocolError("apiBodyHashWrong", { expected, got: given });
}
