import { isUserId, userChannel } from "./channel.ts";
import { ProtocolError, protocolError } from "./errors.ts";
import { jsonText } from "./json-text.ts";
import type { Limits } from "./limits.ts";
import { bytesOver } from "./text-size.ts";

/** Who somebody is that signs in, and whose comings and goings they want to hear of. */
export interface UserData {
  readonly id: string;
  /** JSON text of an object. */
  readonly infoJson: string;
  /** Distinct users, no more than the limit. */
  readonly watchlist: readonly string[];
  /** How many distinct users were asked for. */
  readonly watchlistAsked: number;
}

/**
 * The `user_data` of a sign-in. A watchlist that is too long is no failure: its first users are watched.
 *
 * @see docs/protocol/users.md#user_data
 */
export function parseUserData(text: string, limits: Limits): UserData | ProtocolError {
  const fields = parseFields(text);
  if (fields instanceof ProtocolError) return fields;
  const id = checkId(fields["id"], limits);
  if (id instanceof ProtocolError) return id;
  const infoJson = checkInfo(fields["user_info"], limits.maxMemberBytes);
  if (infoJson instanceof ProtocolError) return infoJson;
  const asked = checkWatchlist(fields["watchlist"]);
  if (asked instanceof ProtocolError) return asked;
  return {
    id,
    infoJson,
    watchlist: asked.slice(0, limits.maxWatchlist),
    watchlistAsked: asked.length,
  };
}

function parseFields(text: string): Readonly<Record<string, unknown>> | ProtocolError {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : invalid("it is not a JSON object");
  } catch {
    return invalid("it is not JSON");
  }
}

function checkId(id: unknown, limits: Limits): string | ProtocolError {
  if (typeof id !== "string" || id === "") return invalid("id must be a non-empty string");
  const room = Math.max(limits.maxChannelNameChars - userChannel("").length, 0);
  const limit = Math.min(limits.maxUserIdChars, room);
  if (id.length > limit) return protocolError("signInIdTooLong", {}, { limit, actual: id.length });
  return isUserId(id) ? id : invalid("id must not hold control characters, lone surrogates or a slash");
}

function checkInfo(info: unknown, maxBytes: number): string | ProtocolError {
  if (info === undefined || info === null) return "{}";
  if (!isObject(info)) return invalid("user_info must be a JSON object");
  const infoJson = jsonText(info);
  if (infoJson === undefined) return invalid("user_info is nested too deeply");
  const actual = bytesOver(infoJson, maxBytes);
  if (actual === undefined) return infoJson;
  return protocolError("signInInfoTooLarge", {}, { limit: maxBytes, actual });
}

/** Each user once, in the order of the first mention. */
function checkWatchlist(watchlist: unknown): readonly string[] | ProtocolError {
  if (watchlist === undefined || watchlist === null) return [];
  if (Array.isArray(watchlist) && watchlist.every((id) => typeof id === "string" && isUserId(id))) {
    return [...new Set<string>(watchlist)];
  }
  return invalid("watchlist must be an array of user ids");
}

function invalid(problem: string): ProtocolError {
  return protocolError("userDataInvalid", { problem });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
