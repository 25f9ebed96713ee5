import { type Digest, type KeyPair, signWebhook } from "@earshot/protocol/signature";
import type { App, AppKey, WebhookEndpoint } from "#core/app";
import type { WebhookRequest } from "./sender.ts";

export interface RequestParts {
  readonly endpoint: Pick<WebhookEndpoint, "url" | "headers">;
  readonly pair: KeyPair;
  readonly digest: Digest;
  readonly body: string;
  readonly deliveryId: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Unix milliseconds. */
  readonly firstAttemptMs: number;
  /** What we call ourselves, such as `Earshot/1.0.0`. */
  readonly userAgent: string;
}

/** Signs exactly the text that it sends. What an endpoint adds stands beside our headers, never in their place. */
export function webhookRequest(parts: RequestParts): WebhookRequest {
  const { endpoint, pair, digest, body } = parts;
  return {
    url: endpoint.url,
    headers: {
      ...endpoint.headers,
      "Content-Type": "application/json", // the node library compares the whole value
      "User-Agent": parts.userAgent,
      "X-Pusher-Key": pair.key,
      "X-Pusher-Signature": signWebhook(digest, pair.secret, body),
      "X-Earshot-Delivery": parts.deliveryId,
      "X-Earshot-Attempt": String(parts.attempt),
      "X-Earshot-First-Attempt": String(parts.firstAttemptMs),
    },
    body,
  };
}

/** The pair that signs now: the oldest that is not revoked. */
export function signingPair(app: App): AppKey | undefined {
  return app.keys.find((pair) => !pair.revoked); // they are oldest first
}
