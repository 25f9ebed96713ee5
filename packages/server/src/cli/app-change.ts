/** The flags of `earshot apps create` and `update`, and the change that they ask for. */
import { LIMIT_NAMES, type LimitName } from "@earshot/protocol/limits";
import type { FlagKind } from "#config/load";
import { parseQuota, type Quota } from "#core/quota";
import type { AppChange } from "#store/apps";
import { Refused } from "#store/refused";
import { flag, type Given } from "./given.ts";

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
  quota: "texts",
  "no-quotas": "boolean",
  ...LIMIT_FLAGS,
};

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
    ...quotasFrom(given),
  };
}

function quotasFrom({ quota, "no-quotas": none }: Given): { readonly quotas?: readonly Quota[] } {
  const texts = Array.isArray(quota) ? quota.filter((text) => text !== "") : [];
  if (none !== true) return quota === undefined ? {} : { quotas: texts.map(parseQuota) };
  if (texts.length === 0) return { quotas: [] };
  throw new Refused(
    `--quota ${JSON.stringify(texts[0])} and --no-quotas contradict each other: give --quota alone, it replaces all quotas.`,
  );
}

function limitFrom(name: LimitName, text: string): number | undefined {
  if (text === "default") return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Refused(
    `--${limitFlag(name)} = ${JSON.stringify(text)} is not a whole number: write one, or "default" to return to the default.`,
  );
}
