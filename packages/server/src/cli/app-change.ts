/** The flags of `earshot apps create` and `update`, and the change that they ask for. */
import { LIMIT_NAMES, type LimitName } from "@earshot/protocol/limits";
import type { FlagKind } from "#config/load";
import type { AppChange } from "#store/apps";
import { Refused } from "#store/refused";

/** `maxConnections` is `max-connections`, without the dashes in front. */
export function limitFlag(name: LimitName): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const LIMIT_FLAGS: Readonly<Record<string, "text">> = Object.fromEntries(
  LIMIT_NAMES.map((name) => [limitFlag(name), "text" as const]),
);

export const CHANGE_FLAGS: Readonly<Record<string, FlagKind>> = {
  name: "text",
  enabled: "text",
  "tls-only": "text",
  "client-events": "text",
  "subscription-count": "text",
  watchlist: "text",
  "allowed-origin": "texts",
  ...LIMIT_FLAGS,
};

type Given = Readonly<Record<string, boolean | string | readonly string[] | undefined>>;

/** @throws Refused where a value is not of its kind; whether it is allowed, the core says */
export function changeFrom(given: Given): AppChange {
  const { name } = given;
  const origins = given["allowed-origin"];
  const limits = new Map<string, number | undefined>();
  for (const limit of LIMIT_NAMES) {
    const text = given[limitFlag(limit)];
    if (typeof text === "string") limits.set(limit, limitFrom(limit, text));
  }
  return {
    ...(typeof name === "string" ? { name } : {}),
    ...flag(given, "enabled", "enabled"),
    ...flag(given, "tls-only", "tlsOnly"),
    features: {
      ...flag(given, "client-events", "clientEvents"),
      ...flag(given, "subscription-count", "subscriptionCount"),
      ...flag(given, "watchlist", "watchlist"),
    },
    limits,
    ...(Array.isArray(origins) ? { allowedOrigins: origins.filter((origin) => origin !== "") } : {}),
  };
}

function flag<const Field extends string>(
  given: Given,
  name: string,
  field: Field,
): { readonly [F in Field]?: boolean } {
  const text = given[name];
  if (text === undefined) return {};
  if (text !== "true" && text !== "false") {
    throw new Refused(
      `--${name} = ${JSON.stringify(text)} is neither true nor false: write --${name} true, or --${name} false.`,
    );
  }
  return { [field]: text === "true" } as { readonly [F in Field]?: boolean }; // the one field that was asked for
}

function limitFrom(name: LimitName, text: string): number | undefined {
  if (text === "default") return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Refused(
    `--${limitFlag(name)} = ${JSON.stringify(text)} is not a whole number: write one, or "default" to return to the default.`,
  );
}
