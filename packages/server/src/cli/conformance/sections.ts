/** The checklist, whole and in order. */
import { CONNECTING } from "./a-connecting.ts";
import { LIVENESS } from "./b-liveness.ts";
import { CLOSING } from "./c-closing.ts";
import type { Section } from "./check.ts";
import { DATA_ENCODING } from "./d-data-encoding.ts";
import { SUBSCRIBING } from "./e-subscribing.ts";
import { PRESENCE } from "./f-presence.ts";
import { CLIENT_EVENTS } from "./g-client-events.ts";
import { CACHE } from "./h-cache-and-encrypted.ts";
import { USERS } from "./i-users.ts";
import { HTTP_API } from "./j-http-api.ts";
import { WEBHOOKS } from "./k-webhooks.ts";
import { HTTP_FALLBACK } from "./l-http-fallback.ts";
import { LARAVEL_ECHO } from "./m-laravel-echo.ts";

export const SECTIONS: readonly Section[] = [
  CONNECTING,
  LIVENESS,
  CLOSING,
  DATA_ENCODING,
  SUBSCRIBING,
  PRESENCE,
  CLIENT_EVENTS,
  CACHE,
  USERS,
  HTTP_API,
  WEBHOOKS,
  HTTP_FALLBACK,
  LARAVEL_ECHO,
];

/**
 * The part of the checklist that is asked for: letters of sections and numbers of lines. What is neither comes back as
 * a text.
 */
export function chooseSections(wanted: readonly string[]): readonly Section[] | { readonly unknown: string } {
  const numbers = new Set(SECTIONS.flatMap(({ checks }) => checks.map(({ number }) => String(number))));
  const letters = new Set(SECTIONS.map(({ letter }) => letter));
  const words = wanted.map((word) => word.trim().toUpperCase());
  const unknown = words.find((word) => !letters.has(word) && !numbers.has(word));
  if (unknown !== undefined) return { unknown };
  return SECTIONS.map((section) => ({
    ...section,
    checks: section.checks.filter(
      ({ number }) => words.includes(section.letter) || words.includes(String(number)),
    ),
  })).filter(({ checks }) => checks.length > 0);
}
