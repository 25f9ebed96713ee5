/**
 * The four HMACs of Pusher Channels: channel authorization, user sign-in, API request, webhook.
 * Hashing itself is the runtime's: it comes in as a `Digest`.
 *
 * @see docs/protocol/signatures.md
 */

/** MD5 and HMAC-SHA256 as lower-case hex. */
export interface Digest {
  md5Hex(body: Uint8Array | string): string;
  hmacSha256Hex(secret: string, text: Uint8Array | string): string;
}

export interface KeyPair {
  readonly key: string;
  readonly secret: string;
}

/** `socket_id:channel`, and `:channel_data` where the client sent any, exactly as received. */
export function channelStringToSign(
  socketId: string,
  channel: string,
  channelData: string | undefined,
): string {
  return channelData === undefined ? `${socketId}:${channel}` : `${socketId}:${channel}:${channelData}`;
}

/** `socket_id::user::user_data`, exactly as received. */
export function userStringToSign(socketId: string, userData: string): string {
  return `${socketId}::user::${userData}`;
}

/** The `auth` of a channel subscription: `KEY:hex`. */
export function signChannel(
  digest: Digest,
  pair: KeyPair,
  socketId: string,
  channel: string,
  channelData?: string,
): string {
  return `${pair.key}:${digest.hmacSha256Hex(pair.secret, channelStringToSign(socketId, channel, channelData))}`;
}

/** The `auth` of a user sign-in: `KEY:hex`. */
export function signUser(digest: Digest, pair: KeyPair, socketId: string, userData: string): string {
  return `${pair.key}:${digest.hmacSha256Hex(pair.secret, userStringToSign(socketId, userData))}`;
}

/** The value of `X-Pusher-Signature` for the exact bytes of a webhook body. */
export function signWebhook(digest: Digest, secret: string, body: Uint8Array | string): string {
  return digest.hmacSha256Hex(secret, body);
}

/**
 * Whether `text` signed with `secret` is `signature`, in constant time. A text with a lone surrogate was never signed:
 * as UTF-8 it would be the same as another one.
 */
export function verifySignature(digest: Digest, secret: string, text: string, signature: string): boolean {
  return text.isWellFormed() && equalInConstantTime(digest.hmacSha256Hex(secret, text), signature);
}

/** Compares without telling by its duration where two texts differ; only the length shows. */
export function equalInConstantTime(expected: string, given: string): boolean {
  if (expected.length !== given.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) difference |= expected.charCodeAt(i) ^ given.charCodeAt(i);
  return difference === 0;
}

/** One query parameter: lower-cased key, decoded value. */
export type Parameter = readonly [key: string, value: string];

/** Method, path and all parameters but the signature, sorted by key, joined by newlines. */
export function apiStringToSign(method: string, path: string, parameters: readonly Parameter[]): string {
  const signed = parameters.filter(([key]) => key !== "auth_signature");
  signed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let query = "";
  for (const [key, value] of signed) query += query === "" ? `${key}=${value}` : `&${key}=${value}`;
  return `${method}\n${path}\n${query}`;
}

export interface ApiRequest {
  readonly method: string;
  /** As requested: with prefix, without query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The query of a signed request, encoded and ready to put behind the path and a question mark. */
export function signApiRequest(
  digest: Digest,
  pair: KeyPair,
  request: ApiRequest,
  unixSeconds: number,
): string {
  const parameters: Record<string, string> = {
    ...request.query,
    auth_key: pair.key,
    auth_timestamp: String(unixSeconds),
    auth_version: "1.0",
  };
  if (request.body !== undefined && request.body !== "") parameters["body_md5"] = digest.md5Hex(request.body);
  const text = apiStringToSign(request.method, request.path, Object.entries(parameters));
  const signature = digest.hmacSha256Hex(pair.secret, text);
  return Object.entries({ ...parameters, auth_signature: signature })
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join("&");
}
