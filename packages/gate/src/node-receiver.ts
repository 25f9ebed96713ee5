import { GateError } from "./gate-error.ts";
import { boundedBody, CONSUMED, type Receiver, TOO_LARGE, type WebhookAnswer } from "./receiver.ts";

/** What is used of a request of `node:http`, which Express and others hand on. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly readableEnded?: boolean;
  iterator?(options: { destroyOnReturn: boolean }): AsyncIterable<Uint8Array>;
  /** Set by body parsers. */
  readonly body?: unknown;
  readonly rawBody?: unknown;
}

/** What is used of a response of `node:http`. */
export interface NodeResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(text: string): unknown;
}

/** The endpoint of webhooks for `node:http`, and for what is built on it. Never rejects. */
export function nodeReceiver(
  receiver: Receiver,
  onError: (error: GateError) => void,
): (request: NodeRequest, response: NodeResponse) => Promise<void> {
  return async (request, response) => {
    let answer: WebhookAnswer;
    try {
      answer = await answerTo(receiver, request);
    } catch (error) {
      answer = { status: 400, text: `the body broke off: ${String(error)}` };
    }
    if (answer === CONSUMED) onError(new GateError("body_consumed", CONSUMED.text));
    response.statusCode = answer.status;
    response.setHeader("content-type", "text/plain; charset=utf-8");
    // What was not read of a body that is too long is not waited for.
    if (answer === TOO_LARGE) response.setHeader("connection", "close");
    response.end(answer.text);
  };
}

async function answerTo(receiver: Receiver, request: NodeRequest): Promise<WebhookAnswer> {
  if (request.method !== "POST") return { status: 405, text: "webhooks are sent with POST" };
  const body = parsedBytes(request) ?? (request.readableEnded ? CONSUMED : await readBody(request));
  if (body === undefined) return TOO_LARGE;
  if ("status" in body) return body;
  const header = (name: string) => {
    const value = request.headers[name];
    return typeof value === "string" ? value : "";
  };
  const headers = {
    "content-type": header("content-type"),
    "x-pusher-key": header("x-pusher-key"),
    "x-pusher-signature": header("x-pusher-signature"),
  };
  return receiver.take(headers, body);
}

function readBody(request: NodeRequest): Promise<Uint8Array | undefined> {
  // Plain iteration ends the connection when it stops early, and the answer with it.
  return boundedBody(request.iterator?.({ destroyOnReturn: false }) ?? request);
}

/** The exact bytes, where a body parser that leaves them as they are has read them: `express.raw`, or one that sets `rawBody`. */
function parsedBytes({ rawBody, body }: NodeRequest): Uint8Array | undefined {
  for (const bytes of [rawBody, body]) {
    if (bytes instanceof Uint8Array) return bytes;
    if (typeof bytes === "string") return new TextEncoder().encode(bytes);
  }
  return undefined;
}
