/** How a check says what it found. They are thrown, so that a check reads as a story, and caught once, in `run.ts`. */
import { isDeepStrictEqual } from "node:util";
import { printable } from "../terminal.ts";

const MAX_SHOWN_CHARS = 240; // ours: what still reads as one line

/** The server does otherwise than the line says; the message is what was seen. */
export class Finding extends Error {}

/** The line cannot be shown against this server; the message says why. */
export class NotShown extends Error {}

export function must(isSo: boolean, seen: string | (() => string)): asserts isSo {
  if (!isSo) throw new Finding(typeof seen === "string" ? seen : seen());
}

export function mustEqual(actual: unknown, expected: unknown, what: string): void {
  must(
    isDeepStrictEqual(actual, expected),
    () => `${what} is ${asJson(actual)} where ${asJson(expected)} was awaited`,
  );
}

/** With quotation marks around a text, so that the text "7" and the number 7 differ. */
function asJson(value: unknown): string {
  return shortened(JSON.stringify(value) ?? "nothing");
}

/** A value as part of a line, shortened, without characters that a terminal acts on. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return shortened(text === "" ? '""' : text);
}

export function shortened(text: string): string {
  const short = text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}...` : text;
  return printable(short);
}
