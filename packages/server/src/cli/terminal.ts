/** What a command reads and writes, so that tests can stand in for a person. */
import { writeSync } from "node:fs";

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Somebody looks at `out`, and wants colours. */
  readonly hasColours?: boolean;
  /** A line for whoever uses the result. */
  out(line: string): void;
  /** A line for the person who typed the command. */
  err(line: string): void;
}

export function processTerminal(): Terminal {
  return {
    env: process.env,
    hasColours: process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "",
    out: (line) => writeLine(1, line),
    err: (line) => writeLine(2, line),
  };
}

/** Written when it returns: a command may end right behind it. */
function writeLine(file: number, line: string): void {
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(file, rest));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EPIPE") process.exit(0); // the reader, such as `head`, has enough
      if (code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}

/** Text that others wrote, without the characters that a terminal acts on. */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
