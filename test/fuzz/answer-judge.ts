/** What the HTTP API may answer, judged without the server's own code. */
import { ERRORS } from "@earshot/protocol/errors";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/**
 * @returns whether the request was accepted
 * @throws where the answer is none that is documented
 */
export function judgeAnswer({ status, contentType, body }: HttpAnswer): boolean {
  const fail = (why: string): never => {
    throw new Error(`${why}: ${status} ${contentType} ${body.slice(0, 500)}`);
  };
  if (status === 200 && contentType === "text/event-stream") return true;
  if (status === 200) {
    if (contentType !== "application/json") fail("a success is no JSON");
    const value: unknown = JSON.parse(body);
    if (typeof value !== "object" || value === null || Array.isArray(value)) fail("a success is no object");
    return true;
  }
  if (status === 202 && body === "202 ACCEPTED\n") return true;
  if (contentType !== "text/plain; charset=utf-8") fail("a refusal is no plain text");
  const lines = body.split("\n");
  const reason = /^reason: (\w+)(;|$)/.exec(lines.at(-2) ?? "")?.[1] ?? fail("a refusal has no reason");
  const row =
    Object.entries(ERRORS).find(([name]) => name === reason)?.[1] ?? fail("a reason is not in the table");
  if (row.status !== status) fail("a refusal has another status than the table says");
  if (row.status >= 500) fail("something broke inside the server");
  if ((lines[0] ?? "") === "") fail("a refusal has no text");
  return false;
}
