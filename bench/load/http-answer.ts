/** Enough of HTTP/1.1 to know where one answer ends: a status, a Content-Length, a body that nobody reads. */
export interface HttpAnswer {
  readonly status: number;
  /** The server asks for a new connection next time. */
  readonly closes: boolean;
  readonly body: string;
}

const HEAD_END = "\r\n\r\n";

/** @returns the answer that `text` starts with, or undefined while it is not whole */
export function parseAnswer(text: string): HttpAnswer | undefined {
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (Number.isNaN(status)) throw new Error(`not an HTTP answer: ${head.slice(0, 80)}`);
  if (length === undefined)
    throw new Error(`an answer without Content-Length, which the bench cannot read: ${head}`);
  const bodyStart = headEnd + HEAD_END.length;
  const body = text.slice(bodyStart);
  if (body.length < Number(length)) return undefined;
  return { status, closes: /\r\nconnection: *close/i.test(head), body };
}
