import type { Parameter } from "./signature.ts";

/**
 * The query of a request, decoded once. Libraries disagree about `+` and escapes, so a value that cannot be decoded is
 * kept as it stands.
 */
export class Query {
  readonly parameters: readonly Parameter[];
  readonly #raw: string;

  constructor(raw: string) {
    this.#raw = raw;
    this.parameters = decode(raw, true);
  }

  /** The first value of a parameter. */
  get(name: string): string | undefined {
    for (const [key, value] of this.parameters) if (key === name) return value;
    return undefined;
  }

  /** All values of `name[]`, as the reference signer writes a list. */
  list(name: string): string[] {
    return this.parameters.filter(([key]) => key === `${name}[]`).map(([, value]) => value);
  }

  /** The parameters with each `+` kept, where that differs: some libraries sign a plus, others a space. */
  withLiteralPlus(): readonly Parameter[] | undefined {
    return this.#raw.includes("+") ? decode(this.#raw, false) : undefined;
  }
}

function decode(raw: string, plusIsSpace: boolean): Parameter[] {
  const parameters: Parameter[] = [];
  let start = 0;
  while (start < raw.length) {
    let end = raw.indexOf("&", start);
    if (end < 0) end = raw.length;
    if (end > start) {
      const equals = raw.indexOf("=", start);
      const keyEnd = equals < 0 || equals > end ? end : equals;
      const key = unescape(raw.slice(start, keyEnd), plusIsSpace);
      const value = keyEnd === end ? "" : unescape(raw.slice(keyEnd + 1, end), plusIsSpace);
      parameters.push([key.toLowerCase(), value]);
    }
    start = end + 1;
  }
  return parameters;
}

function unescape(text: string, plusIsSpace: boolean): string {
  const spaced = plusIsSpace && text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced; // malformed escape: signed and compared as it stands
  }
}
