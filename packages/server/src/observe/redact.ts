/** Takes secrets out of what is about to be logged: by the name of a field, and by the look of a text. */

const SECRET_NAME = /secret|password|passwd|token|signature|authorization|cookie|^auth$|_auth$|Auth$/i;
const HIDDEN = "[redacted]";
const MAX_DEPTH = 5; // ours: log fields are flat; deeper than this nobody reads, and a cycle ends here

const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  // An address with a password: postgres://user:password@host. A password may hold an @, a host may not.
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/]*@/gi, `$1:${HIDDEN}@`],
  // KEY:SIGNATURE of a subscription or a sign-in.
  [/\b([A-Za-z0-9_-]{1,64}):[0-9a-f]{64}\b/gi, `$1:${HIDDEN}`],
  // A signed request's query, a token in a query, a bearer token.
  [/\b(auth_signature|auth|token|secret|password)=[^\s&"']+/gi, `$1=${HIDDEN}`],
  [/\bbearer\s+[^\s"']+/gi, `Bearer ${HIDDEN}`],
  // The same written as JSON.
  [
    /("(?:auth|auth_signature|token|secret|password|shared_secret)"\s*:\s*)"(?:[^"\\]|\\.)*"/gi,
    `$1"${HIDDEN}"`,
  ],
];

export function redactText(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of SECRET_TEXTS) clean = clean.replace(pattern, replacement);
  return clean;
}

export function redactFields(fields: object): Record<string, unknown> {
  return redactObject(fields, 0);
}

function redactObject(object: object, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object) as [string, unknown][]) {
    clean[name] = SECRET_NAME.test(name) && value !== undefined ? HIDDEN : redact(value, depth);
  }
  return clean;
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) {
    return { type: value.name, message: redactText(value.message), stack: redactText(value.stack ?? "") };
  }
  if (depth >= MAX_DEPTH) return "[too deep]";
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return `[${value.constructor.name} of ${value.size}]`;
  return redactObject(value, depth + 1);
}
