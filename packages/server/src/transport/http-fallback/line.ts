/** What a receive request is answered with: lines, whose first character says what they are. */

/** One line, encoded once however many sessions it goes to. */
export interface Line {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As the client counts: UTF-16 units of the response's text. */
  readonly chars: number;
}

const utf8 = new TextEncoder();

/** Browsers hold back the first bytes of a response; what stands before the opening is ignored. */
export const PRELUDE = line("h".repeat(2_048)); // 2 KB is what the greediest of them hold back
export const OPENING = line("o");
export const HEARTBEAT = line("h");
/** The answer to a client's sign of life. A heartbeat in its place would be answered in turn, without end. */
export const ACKNOWLEDGEMENT = line("a[]");

/** A frame of the protocol; JSON text has no line breaks. */
export function messageLine(frame: string): Line {
  return line(`a[${JSON.stringify(frame)}]`);
}

export function closingLine(code: number, reason: string): Line {
  return line(`c[${code},${JSON.stringify(reason)}]`);
}

function line(text: string): Line {
  return { bytes: utf8.encode(`${text}\n`), chars: text.length + 1 };
}
