import type { Deadline } from "./deadline.ts";

export interface Answered {
  readonly answered: true;
  readonly status: number;
  /** Its first 4 KB. */
  readonly body: string;
}

export interface Unanswered {
  readonly answered: false;
  readonly problem: string;
}

/** What became of a request, and what that means for its connection. */
export type Outcome =
  | (Answered & {
      /** The answer was read to its end, and the connection can take another request. */
      readonly isReusable: boolean;
    })
  | (Unanswered & {
      /** `refused`: there is no connection, so nothing was sent. `hung up`: the receiver may have got the request. */
      readonly end: "refused" | "hung up" | "other";
    });

interface Exchange {
  readonly session: Bun.FetchSession;
  /** With an IP address for a host. */
  readonly url: string;
  /** As the receiver is called, with its port; for texts. */
  readonly host: string;
  readonly headers: Headers;
  readonly body: string;
  readonly deadline: Deadline;
}

const MAX_KEPT_BYTES = 4_096; // design: what the delivery log shows
const MAX_READ_BYTES = 65_536; // ours: reading so far keeps the connection for the next request; beyond, a new one is cheaper

/** One request and its answer. The promise is always fulfilled, at the latest at the deadline. */
export async function exchange({ session, url, host, headers, body, deadline }: Exchange): Promise<Outcome> {
  try {
    const response = await session.fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      decompress: false,
      protocol: "http1.1",
      proxy: false,
      timeout: false, // the deadline is the only one
      signal: deadline.signal,
    });
    return await answerOf(response, deadline);
  } catch (problem) {
    if (deadline.problem !== undefined) return { answered: false, problem: deadline.problem, end: "other" };
    return {
      answered: false,
      problem: `${host} did not answer: ${textOf(problem, url)}`,
      end: endOf(problem),
    };
  }
}

/** Status and beginning of the body. Whether the body comes to its end or not: the status has been said. */
async function answerOf(response: Response, deadline: Deadline): Promise<Outcome> {
  const { parts, isWhole } = await beginningOf(response.body, deadline);
  // As a stream, because the last character may be cut in two.
  const body = new TextDecoder().decode(parts.length === 1 ? parts[0] : Buffer.concat(parts), {
    stream: true,
  });
  return { answered: true, status: response.status, body, isReusable: isWhole && !isLast(response) };
}

async function beginningOf(body: ReadableStream<Uint8Array> | null, deadline: Deadline) {
  const parts: Uint8Array[] = [];
  if (body === null) return { parts, isWhole: true };
  const reader = body.getReader();
  let readBytes = 0;
  try {
    while (readBytes <= MAX_READ_BYTES) {
      const { done, value } = await reader.read();
      if (done) return { parts, isWhole: true };
      if (readBytes < MAX_KEPT_BYTES) parts.push(value.slice(0, MAX_KEPT_BYTES - readBytes));
      readBytes += value.length;
    }
    deadline.breakOff("the answer is too long to be read to its end");
  } catch {
    // The receiver hung up, or the time is up.
  }
  return { parts, isWhole: false };
}

/** The receiver says that it will hang up, so that the next connection is a new one. */
function isLast(response: Response): boolean {
  return /\bclose\b/i.test(response.headers.get("connection") ?? "");
}

const REFUSED = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
]);
const HUNG_UP = new Set(["ECONNRESET", "EPIPE"]);

function endOf(problem: unknown): "refused" | "hung up" | "other" {
  const code = codeOf(problem);
  if (REFUSED.has(code)) return "refused";
  return HUNG_UP.has(code) ? "hung up" : "other";
}

function codeOf(problem: unknown): string {
  return problem instanceof Error && "code" in problem ? String(problem.code) : "";
}

/** What the codes of the runtime mean, where its own texts give the wrong advice or none. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  ECONNRESET: "it hung up before it answered",
  EPIPE: "it hung up before it answered",
  Malformed_HTTP_Response: "its answer is not HTTP",
  InvalidContentLength: "its answer is not HTTP",
  InvalidHTTPResponse: "its answer is not HTTP",
  ResponseHeadersTooLarge: "the head of its answer is too large",
  UnrequestedUpgrade: "it switched protocols, which nobody asked for",
  EPROTO: "the TLS handshake failed; does it speak TLS on this port?",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "its certificate is for another name; have one issued whose altnames include this one",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed; have one issued that this machine trusts",
};

function textOf(problem: unknown, url: string): string {
  const code = codeOf(problem);
  const meaning = MEANINGS[code];
  if (meaning !== undefined) return `${meaning} (${code} at ${new URL(url).host})`;
  const text = problem instanceof Error ? problem.message : String(problem);
  return text.replace(/\. For more information, pass `verbose.*$/, "");
}
