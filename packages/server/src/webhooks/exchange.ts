import {
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from "node:http";
import { request as requestHttps } from "node:https";

export interface Answered {
  readonly answered: true;
  readonly status: number;
  /** Its first 4 KB. */
  readonly body: string;
}

interface Unanswered {
  readonly answered: false;
  readonly problem: string;
  /** The receiver had hung up on a connection that was kept from before: a new one may do. */
  readonly wasStale: boolean;
}

interface Exchange {
  readonly url: URL;
  readonly options: RequestOptions;
  readonly body: string;
  /** As set; named in texts. */
  readonly timeoutMs: number;
  /** What is left of it. */
  readonly leftMs: number;
  readonly closing: AbortSignal;
}

const MAX_KEPT_BYTES = 4_096; // design: what the delivery log shows
const MAX_READ_BYTES = 65_536; // ours: reading so far keeps the connection for the next request; beyond, a new one is cheaper

/** One request and its answer. The promise is always fulfilled, at the latest when the time is up. */
export function exchange({
  url,
  options,
  body,
  timeoutMs,
  leftMs,
  closing,
}: Exchange): Promise<Answered | Unanswered> {
  return new Promise((resolve) => {
    const answer = new KeptAnswer();
    let request: ClientRequest | undefined;
    let isFinished = false;

    const finish = (problem: string, wasStale = false) => {
      if (isFinished) return; // an end is told more than once: end, close of the answer, close of the request
      isFinished = true;
      clearTimeout(timer);
      closing.removeEventListener("abort", stop);
      resolve(answer.result() ?? { answered: false, problem, wasStale });
    };
    const breakOff = (problem: string) => {
      finish(problem);
      request?.destroy();
    };
    const stop = () => breakOff("the server is stopping");
    const timer = setTimeout(
      () => breakOff(`${url.host} did not answer within ${timeoutMs} ms (webhooks.timeoutMs)`),
      leftMs,
    );
    closing.addEventListener("abort", stop);
    if (closing.aborted) return stop();

    const failed = (problem: NodeJS.ErrnoException) =>
      finish(`${url.host} did not answer: ${textOf(problem)}`, isStale(request, problem));
    try {
      request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, options);
    } catch (problem) {
      // A header that cannot be sent.
      return finish(`the request cannot be sent: ${textOf(problem)}; change the endpoint's headers`);
    }
    request.on("error", failed);
    request.on("close", () => finish(`${url.host} closed the connection before it answered`));
    request.on("response", (response) => {
      answer.begin(response);
      response.on("data", (chunk: Uint8Array) => {
        if (answer.take(chunk) > MAX_READ_BYTES) breakOff("");
      });
      // Whether the body came to its end or not: the status has been said.
      for (const end of ["end", "error", "close"]) response.on(end, () => finish(""));
    });
    request.end(body);
  });
}

/** The status and the beginning of an answer, as far as they have come. */
class KeptAnswer {
  #status: number | undefined;
  #readBytes = 0;
  #keptBytes = 0;
  readonly #kept: Uint8Array[] = [];

  begin(response: IncomingMessage): void {
    this.#status = response.statusCode;
  }

  /** Returns how many bytes have been read so far. */
  take(chunk: Uint8Array): number {
    this.#readBytes += chunk.length;
    const part = chunk.subarray(0, MAX_KEPT_BYTES - this.#keptBytes);
    if (part.length > 0) this.#kept.push(part.slice());
    this.#keptBytes += part.length;
    return this.#readBytes;
  }

  result(): Answered | undefined {
    if (this.#status === undefined) return undefined;
    // As a stream, because the last character may be cut in two.
    const body = new TextDecoder().decode(Buffer.concat(this.#kept), { stream: true });
    return { answered: true, status: this.#status, body };
  }
}

const HUNG_UP = new Set(["ECONNRESET", "EPIPE"]);

function isStale(request: ClientRequest | undefined, problem: NodeJS.ErrnoException): boolean {
  return request?.reusedSocket === true && HUNG_UP.has(problem.code ?? "");
}

function textOf(problem: unknown): string {
  if (problem instanceof AggregateError) return problem.errors.map(textOf).join(", ");
  return problem instanceof Error ? problem.message : String(problem);
}
