import { type ProtocolError, protocolError } from "./errors.ts";
import { jsonText } from "./json-text.ts";

/** One kind of channel: what its prefix promises. */
export interface ChannelKind {
  readonly prefix: string;
  readonly kind: "public" | "private" | "presence" | "encrypted" | "user";
  /** A subscription must be signed. */
  readonly signed: boolean;
  /** The last event published through the API is remembered for those who come later. */
  readonly cache: boolean;
  readonly clientEvents: boolean;
  readonly members: boolean;
}

const USER_CHANNEL_PREFIX = "#server-to-user-";

/**
 * Prefixes are anchored at the start of the name, the longest one wins, case counts. The row with the empty prefix is
 * every other name.
 *
 * @see docs/protocol/channels.md
 */
export const CHANNEL_KINDS: readonly ChannelKind[] = [
  {
    prefix: "private-encrypted-cache-",
    kind: "encrypted",
    signed: true,
    cache: true,
    clientEvents: false,
    members: false,
  },
  {
    prefix: "private-encrypted-",
    kind: "encrypted",
    signed: true,
    cache: false,
    clientEvents: false,
    members: false,
  },
  {
    prefix: "private-cache-",
    kind: "private",
    signed: true,
    cache: true,
    clientEvents: true,
    members: false,
  },
  { prefix: "private-", kind: "private", signed: true, cache: false, clientEvents: true, members: false },
  {
    prefix: "presence-cache-",
    kind: "presence",
    signed: true,
    cache: true,
    clientEvents: true,
    members: true,
  },
  { prefix: "presence-", kind: "presence", signed: true, cache: false, clientEvents: true, members: true },
  { prefix: "cache-", kind: "public", signed: false, cache: true, clientEvents: false, members: false },
  {
    prefix: USER_CHANNEL_PREFIX,
    kind: "user",
    signed: false,
    cache: false,
    clientEvents: false,
    members: false,
  },
  { prefix: "", kind: "public", signed: false, cache: false, clientEvents: false, members: false },
];

/** The channel that only the connections of one signed-in user may subscribe to. */
export function userChannel(userId: string): string {
  return USER_CHANNEL_PREFIX + userId;
}

/**
 * Whether a text can name a user. It is whatever the application calls its users, so only control characters and the
 * slash are refused; as UTF-8, a lone surrogate would be the same as another one, and so two users the same.
 */
export function isUserId(text: string): boolean {
  return text.isWellFormed() && /^[^\p{Cc}/]+$/u.test(text);
}

const LONGEST_FIRST = [...CHANNEL_KINDS].sort((a, b) => b.prefix.length - a.prefix.length);
const CHANNEL_CHARACTERS = /^[-A-Za-z0-9_=@,.;]+$/;

/** The kind that the prefix of a well-formed name stands for. */
export function channelKind(name: string): ChannelKind {
  for (const row of LONGEST_FIRST) if (name.startsWith(row.prefix)) return row;
  throw new Error("the table of channel kinds has no row for every other name");
}

/** The kind of a channel, or why this is not the name of one. */
export function parseChannelName(name: unknown, maxChars: number): ChannelKind | ProtocolError {
  if (typeof name !== "string") {
    return protocolError("channelNameInvalid", { channel: describe(name) });
  }
  if (name.length > maxChars) {
    return protocolError("channelNameTooLong", { channel: name }, { limit: maxChars, actual: name.length });
  }
  const row = channelKind(name);
  const wellFormed =
    row.kind === "user" ? isUserId(name.slice(row.prefix.length)) : CHANNEL_CHARACTERS.test(name);
  return wellFormed ? row : protocolError("channelNameInvalid", { channel: name });
}

function describe(value: unknown): string {
  return value === undefined ? "(none)" : (jsonText(value) ?? "(nested too deeply)");
}
