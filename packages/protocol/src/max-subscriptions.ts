import { type ProtocolError, protocolError } from "./errors.ts";
import { jsonText } from "./json-text.ts";
import { MAX_QUOTA_SUBSCRIPTIONS } from "./limits.ts";

/**
 * The `max_subscriptions` that a signed `channel_data` sets, undefined where it sets none. A private channel's data may
 * be any text; one that is JSON and sets a number that is none is refused, because whoever signed it relies on it.
 *
 * @see docs/protocol/channels.md#quotas
 */
export function parseMaxSubscriptions(channel: string, text: string): number | ProtocolError | undefined {
  const given = givenNumber(text);
  if (given === undefined) return undefined;
  if (typeof given === "number" && Number.isSafeInteger(given) && given >= 1 && given <= LIMIT) return given;
  const value = jsonText(given) ?? "(nested too deeply)";
  return protocolError("quotaInvalid", { channel, value, highest: String(LIMIT) });
}

const LIMIT = MAX_QUOTA_SUBSCRIPTIONS;

function givenNumber(text: string): unknown {
  try {
    const value: { max_subscriptions?: unknown } | null = JSON.parse(text);
    return value?.max_subscriptions;
  } catch {
    return undefined;
  }
}
