import type { Parameter } from "./signature.ts";

/**
 * The query of a request. Libraries disagree about `+` and escapes, so a value that cannot be decoded is kept as it
 * stands. Most publishes hold nothing to decode: then a value is read where it stands and no list is made.
 */
export class Query {
  /** As it came over the wire. */
  readonly raw: string;
  /** Nothing in it needs decoding. */
  readonly isPlain: boolean;
  #parameters: readonly Parameter[] | undefined;

  constructor(raw: string) {
    this.raw = raw;
    this.isPlain = !raw.includes("%") && !raw.includes("+");
  }

  get parameters(): readonly Parameter[] {
    this.#parameters ??= decode(this.raw, this.isPlain ? asItStands : withSpaces);
    return this.#parameters;
  }

  /** The first value of a parameter. */
  get(name: string): string | undefined {
    const plain = this.isPlain ? valueAsItStands(this.raw, name) : undefined;
    if (plain !== undefined) return plain;
    for (const [key, value] of this.parameters) if (key === name) return value;
    return undefined;
  }

  /** All values of `name[]`, as the reference signer writes a list. */
  list(name: string): string[] {
    const listed = `${name}[]`;
    return this.parameters.filter(([key]) => key === listed).map(([, value]) => value);
  }

  /** It holds nothing but the parameters of the signature. */
  get isSignatureOnly(): boolean {
    const { raw } = this;
    let start = 0;
    do {
      if (!raw.startsWith("auth_", start) && !raw.startsWith("body_md5=", start)) return false;
      start = raw.indexOf("&", start) + 1;
    } while (start > 0);
    return true;
  }

  /** The parameters with each `+` kept, where that differs: some libraries sign a plus, others a space. */
  withLiteralPlus(): readonly Parameter[] | undefined {
    return this.raw.includes("+") ? decode(this.raw, decodeEscapes) : undefined;
  }
}

const AMPERSAND = 38;
const EQUALS = 61;

function valueAsItStands(raw: string, name: string): string | undefined {
  if (name === "") return undefined; // it is found everywhere, without end
  let at = raw.indexOf(name);
  while (at >= 0) {
    const end = at + name.length;
    const isKey = (at === 0 || raw.charCodeAt(at - 1) === AMPERSAND) && raw.charCodeAt(end) === EQUALS;
    if (isKey) return raw.slice(end + 1, indexOrEnd(raw, "&", end));
    at = raw.indexOf(name, end);
  }
  return undefined;
}

function decode(raw: string, read: (text: string) => string): Parameter[] {
  const parameters: Parameter[] = [];
  let start = 0;
  let equals = -1;
  while (start < raw.length) {
    const end = indexOrEnd(raw, "&", start);
    if (end > start) {
      if (equals < start) equals = indexOrEnd(raw, "=", start); // looked for once, however many keys have no value
      const keyEnd = Math.min(equals, end);
      const value = keyEnd === end ? "" : read(raw.slice(keyEnd + 1, end));
      parameters.push([read(raw.slice(start, keyEnd)).toLowerCase(), value]);
    }
    start = end + 1;
  }
  return parameters;
}

function indexOrEnd(text: string, mark: string, start: number): number {
  const index = text.indexOf(mark, start);
  return index < 0 ? text.length : index;
}

function asItStands(text: string): string {
  return text;
}

function withSpaces(text: string): string {
  return decodeEscapes(text.replaceAll("+", " "));
}

function decodeEscapes(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // malformed escape: signed and compared as it stands
  }
}
