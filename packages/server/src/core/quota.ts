import { MAX_QUOTA_SUBSCRIPTIONS } from "@earshot/protocol/limits";
import { InvalidApp } from "./invalid-app.ts";

/** Channels whose name starts with `prefix` may have so many subscriptions, each. */
export interface Quota {
  readonly prefix: string;
  readonly maxSubscriptions: number;
}

const MAX_QUOTAS = 100; // ours: all of them are looked at for each subscribe
const MAX_PREFIX_CHARS = 200; // ours: no channel name is longer
const PREFIX = /^[-A-Za-z0-9_=@,.;]+$/; // the characters of channel names
const WRITTEN = /^([^*]*)\*\s*[=:]\s*(\d{1,15})$/;

/** @throws InvalidApp */
export function checkQuotas(quotas: readonly Quota[]): readonly Quota[] {
  if (quotas.length <= MAX_QUOTAS) return quotas.map(checkQuota);
  throw new InvalidApp(
    `${quotas.length} quotas are too many: an app may have ${MAX_QUOTAS}. One prefix covers all channels below it.`,
  );
}

function checkQuota({ prefix, maxSubscriptions }: Quota): Quota {
  if (typeof prefix !== "string" || prefix.length > MAX_PREFIX_CHARS || !PREFIX.test(prefix)) {
    const shown = JSON.stringify(String(prefix).slice(0, MAX_PREFIX_CHARS));
    throw new InvalidApp(
      `Quota prefix ${shown} is not valid: use 1 to ${MAX_PREFIX_CHARS} letters, digits and _ - = @ , . ; without a star, as channel names begin.`,
    );
  }
  if (
    Number.isSafeInteger(maxSubscriptions) &&
    maxSubscriptions >= 1 &&
    maxSubscriptions <= MAX_QUOTA_SUBSCRIPTIONS
  )
    return Object.freeze({ prefix, maxSubscriptions });
  throw new InvalidApp(
    `Quota ${prefix}* = ${String(maxSubscriptions)} is not valid: use a whole number of subscriptions from 1 to ${MAX_QUOTA_SUBSCRIPTIONS}.`,
  );
}

/**
 * A quota as a person writes it: `private-user-*=10`, or `private-user-*: 10`.
 * @throws InvalidApp
 */
export function parseQuota(text: string): Quota {
  const [, prefix, number] = WRITTEN.exec(text.trim()) ?? [];
  if (prefix !== undefined && number !== undefined)
    return checkQuota({ prefix, maxSubscriptions: Number(number) });
  const shown = JSON.stringify(text.slice(0, MAX_PREFIX_CHARS));
  throw new InvalidApp(
    `Quota ${shown} is not valid: write the beginning of channel names, a star, "=" and a whole number, such as private-user-*=10.`,
  );
}

/** As `parseQuota` reads it. */
export function writeQuota({ prefix, maxSubscriptions }: Quota): string {
  return `${prefix}*=${maxSubscriptions}`;
}

/** Of the rules that cover the channel, and of what its own subscription asks for, the strictest. */
export function strictestQuota(
  quotas: readonly Quota[],
  channel: string,
  own: number | undefined,
): number | undefined {
  let strictest = own;
  for (const { prefix, maxSubscriptions } of quotas) {
    if (!channel.startsWith(prefix)) continue;
    if (strictest === undefined || maxSubscriptions < strictest) strictest = maxSubscriptions;
  }
  return strictest;
}
