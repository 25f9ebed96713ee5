import { type Digest, type KeyPair, signApiRequest } from "./signature.ts";

/** One event for one channel, and where to send it. */
export interface CurlTrigger {
  /** Of the server, without a slash at the end; with a path prefix where it has one. */
  readonly url: string;
  readonly appId: string;
  readonly pair: KeyPair;
  readonly channel: string;
  readonly event: string;
  readonly data: string;
  /** The connection that is left out. */
  readonly socketId?: string;
}

/**
 * A publish as a command for a POSIX shell. The signature in it is accepted for as long as an API request may be old; the
 * secret is not in it.
 *
 * @see docs/protocol/signatures.md#api
 */
export function curlCommand(digest: Digest, trigger: CurlTrigger, unixSeconds: number): string {
  const { url, appId, pair, channel, event, data, socketId } = trigger;
  const body = JSON.stringify({ name: event, channels: [channel], data, socket_id: socketId });
  const path = `/apps/${appId}/events`;
  const prefix = /^[a-z]+:\/\/[^/]*(.*)$/i.exec(url)?.[1] ?? "";
  const query = signApiRequest(digest, pair, { method: "POST", path: prefix + path, body }, unixSeconds);
  return [
    "curl -sS",
    "-H 'Content-Type: application/json'",
    `--data-raw ${shellQuoted(body)}`,
    shellQuoted(`${url}${path}?${query}`),
  ].join(" \\\n  ");
}

/** One word for a POSIX shell, whatever the text holds. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
