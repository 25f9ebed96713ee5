import type { Parameter } from "./signature.ts";

/**
 * The query of a request, decoded once. Libraries disagree about `+` and escapes, so a value that cannot be decoded is
 * kept as it stands.
 */
export class Query {
  readonly parameters: readonly Parameter[];
  /** As it came over the wire. */
  readonly raw: string;
  /** Nothing in it needs decoding. */
  readonly isPlain: boolean;

  constructor(raw: string) {
    this.raw = raw;
    this.isPlain = !raw.includes("%") && !raw.includes("+");
    this.parameters = decode(raw, this.isPlain ? asItStands : withSpaces);
  }

  /** The first value of a parameter. */
  get(name: string): string | undefined {
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
    for (const [key] of this.parameters) if (!key.startsWith("auth_") && key !== "body_md5") return false;
    return true;
  }

  /** The parameters with each `+` kept, where that differs: some libraries sign a plus, others a space. */
  withLiteralPlus(): readonly Parameter[] | undefined {
    return this.raw.includes("+") ? decode(this.raw, decodeEscapes) : undefined;
  }
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
