import { type ChannelKind, parseChannelName, userChannel } from "@earshot/protocol/channel";
import type { ClientMessage } from "@earshot/protocol/client-message";
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import { parseMaxSubscriptions } from "@earshot/protocol/max-subscriptions";
import { parseChannelData } from "@earshot/protocol/presence";
import { channelStringToSign, type Digest } from "@earshot/protocol/signature";
import type { App } from "./app.ts";
import { verifyClientAuth } from "./client-auth.ts";
import type { Member } from "./ports.ts";
import type { Session } from "./session.ts";

export type Subscribe = Extract<ClientMessage, { type: "subscribe" }>;

/** A subscribe that may go ahead: name, signature, quota and member are in order. */
export interface Admission {
  readonly channel: string;
  readonly kind: ChannelKind;
  readonly member?: Member;
  /** Subscriptions that the channel may have with this one, as it was signed. */
  readonly maxSubscriptions?: number;
}

/** Whether a session may subscribe, as far as that can be said without asking who else is there. */
export function admit(
  digest: Digest,
  session: Session,
  app: App,
  message: Subscribe,
): Admission | ProtocolError {
  const kind = parseChannelName(message.channel, app.limits.maxChannelNameChars);
  if (kind instanceof ProtocolError) return kind;
  const channel = String(message.channel);
  if (session.subscriptions.has(channel)) return protocolError("subscriptionExists", { channel });
  const limit = app.limits.maxSubscriptionsPerConnection;
  const actual = session.subscriptions.size + 1;
  if (actual > limit) return protocolError("subscriptionLimit", {}, { limit, actual });
  if (kind.kind === "user" && !isOwnChannel(session, channel)) {
    return protocolError("userChannelRefused", { channel });
  }
  if (!kind.signed) return { channel, kind };
  const failure = checkAuth(digest, session, app, channel, message);
  if (failure !== undefined) return failure;
  const { channelData } = message;
  const maxSubscriptions =
    typeof channelData === "string" ? parseMaxSubscriptions(channel, channelData) : undefined;
  if (maxSubscriptions instanceof ProtocolError) return maxSubscriptions;
  const admission = maxSubscriptions === undefined ? { channel, kind } : { channel, kind, maxSubscriptions };
  if (!kind.members) return admission;
  const member = memberOf(session, channel, channelData, app.limits);
  return member instanceof ProtocolError ? member : { ...admission, member };
}

function isOwnChannel({ user }: Session, channel: string): boolean {
  return user?.state === "arrived" && channel === userChannel(user.id);
}

/** `channel_data` belongs to the signed text wherever it is sent, also on a private channel. */
function checkAuth(
  digest: Digest,
  session: Session,
  app: App,
  channel: string,
  { auth, channelData }: Subscribe,
): ProtocolError | undefined {
  if (channelData !== undefined && channelData !== null && typeof channelData !== "string") {
    return protocolError("channelDataInvalid", { channel, problem: "it is not a string" });
  }
  const signed = channelStringToSign(session.socketId, channel, channelData ?? undefined);
  return verifyClientAuth(digest, app, auth, signed, "authKeyInvalid");
}

/** Who joins a presence channel: the one whom `channel_data` names, or else the one who is signed in. */
function memberOf(
  session: Session,
  channel: string,
  channelData: unknown,
  limits: App["limits"],
): Member | ProtocolError {
  if (typeof channelData === "string") return parseChannelData(channel, channelData, limits);
  if (session.user?.state !== "arrived") return protocolError("channelDataMissing", { channel });
  return { userId: session.user.id, infoJson: session.user.infoJson };
}
