import type { Change } from "./change.ts";
import { GateError, reasonOf } from "./gate-error.ts";
import type { Publisher, Token } from "./publisher.ts";
import { readWebhook, type WebhookEvent } from "./webhook-body.ts";

export const MAX_WEBHOOK_BYTES = 1_048_576; // ours: twenty of the largest events, with JSON's escapes

export interface ReceiverOptions {
  /**
   * Given all events of each webhook, of every kind, after the gate has applied those that it needs. Where it throws or
   * rejects, the webhook is answered with 500 and comes again. Events may come twice: their `id` tells.
   */
  readonly onEvents?: (events: readonly WebhookEvent[]) => unknown;
}

export interface ReceiverParts {
  readonly publisher: Publisher;
  readonly tokens: readonly Token[];
  readonly isTrusted: boolean;
  /** Resolves when the store has the changes. */
  apply(changes: readonly Change[]): Promise<void>;
  onError(error: GateError): void;
}

/** What a webhook is answered with. */
export interface WebhookAnswer {
  readonly status: number;
  readonly text: string;
}

export type WebhookHeaders = Readonly<Record<"content-type" | "x-pusher-key" | "x-pusher-signature", string>>;

/** Takes webhooks in, whatever server they came through. A refused one changes nothing. */
export class Receiver {
  readonly #parts: ReceiverParts;
  readonly #onEvents: ReceiverOptions["onEvents"];

  constructor(parts: ReceiverParts, { onEvents }: ReceiverOptions = {}) {
    this.#parts = parts;
    this.#onEvents = onEvents;
  }

  /** @param body the exact bytes, since they are what was signed */
  async take(headers: WebhookHeaders, body: Uint8Array): Promise<WebhookAnswer> {
    const refusal = this.#refusal(headers, body);
    if (refusal !== undefined) return refusal;
    const webhook = readWebhook(new TextDecoder().decode(body), this.#parts.isTrusted);
    if (typeof webhook === "string") return { status: 400, text: webhook };
    try {
      await this.#parts.apply(webhook.changes);
    } catch (error) {
      return { status: 503, text: `not applied, send it again: ${reasonOf(error)}` };
    }
    try {
      await this.#onEvents?.(webhook.events);
    } catch (error) {
      const why = `the function given to receiver failed: ${reasonOf(error)}`;
      this.#parts.onError(new GateError("handler_failed", why, error));
      return { status: 500, text: "the back-end could not handle the events, send them again" };
    }
    return { status: 200, text: "" };
  }

  #refusal(headers: WebhookHeaders, body: Uint8Array): WebhookAnswer | undefined {
    const type = headers["content-type"];
    if (type !== "application/json") {
      return {
        status: 415,
        text: `the content type is '${type}'; webhooks are application/json, with nothing behind it`,
      };
    }
    // Bytes that are no UTF-8 become other ones here, so that their signature does not fit.
    const rawBody = new TextDecoder().decode(body);
    const isSigned = headers["x-pusher-key"] !== "" && headers["x-pusher-signature"] !== "";
    const { publisher, tokens } = this.#parts;
    if (isSigned && publisher.webhook({ headers, rawBody }).isValid([...tokens])) return undefined;
    return {
      status: 401,
      text: "the signature does not fit: the body must be signed with the secret of the key in X-Pusher-Key, and this back-end must know both",
    };
  }
}

/** The endpoint of webhooks for servers that speak in `Request` and `Response`. */
export function requestReceiver(receiver: Receiver): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== "POST") return response({ status: 405, text: "webhooks are sent with POST" });
    if (request.bodyUsed) return response(CONSUMED);
    const body = await boundedBody(request.body);
    if (body === undefined) return response(TOO_LARGE);
    const header = (name: string) => request.headers.get(name) ?? "";
    return response(
      await receiver.take(
        {
          "content-type": header("content-type"),
          "x-pusher-key": header("x-pusher-key"),
          "x-pusher-signature": header("x-pusher-signature"),
        },
        body,
      ),
    );
  };
}

export const TOO_LARGE: WebhookAnswer = {
  status: 413,
  text: `the body has more than ${MAX_WEBHOOK_BYTES} bytes`,
};

export const CONSUMED: WebhookAnswer = {
  status: 500,
  text:
    "the body was read before the gate could: the signature is over its exact bytes, so mount the gate's receiver " +
    "before any body parser, such as express.json()",
};

function response({ status, text }: WebhookAnswer): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** Undefined where there is more of it than a webhook has. */
export async function boundedBody(
  chunks: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array> | null,
): Promise<Uint8Array | undefined> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_WEBHOOK_BYTES) return undefined;
    read.push(chunk);
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of read) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}
