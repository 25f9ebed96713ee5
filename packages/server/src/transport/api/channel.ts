import { parseChannelQuery } from "@earshot/protocol/api";
import { parseChannelName } from "@earshot/protocol/channel";
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import { after } from "#core/answer";
import { json } from "../answers.ts";
import type { Endpoint } from "./endpoint.ts";

/** GET /apps/ID/channels/NAME: occupied or not, never 404. */
export const channel: Endpoint = ({ queries }, { app, query }, [name = ""]) => {
  const kind = parseChannelName(name, app.limits.maxChannelNameChars);
  if (kind instanceof ProtocolError) return kind;
  const info = parseChannelQuery(kind, query, {
    id: app.id,
    countsSubscriptions: app.features.subscriptionCount,
  });
  if (info instanceof ProtocolError) return info;
  return after(queries.channel(app, name, info), json);
};

/** GET /apps/ID/channels/NAME/users: the distinct users of a presence channel. */
export const channelUsers: Endpoint = ({ queries }, { app }, [name = ""]) => {
  const kind = parseChannelName(name, app.limits.maxChannelNameChars);
  if (kind instanceof ProtocolError) return kind;
  if (!kind.members) return protocolError("apiUsersNeedPresence");
  return after(queries.users(app, name), (ids) => json({ users: ids.map((id) => ({ id })) }));
};

/** GET /apps/ID/channels/NAME/stats: deprecated, kept for old callers. */
export const channelStats: Endpoint = ({ queries }, { app }, [name = ""]) => {
  const kind = parseChannelName(name, app.limits.maxChannelNameChars);
  if (kind instanceof ProtocolError) return kind;
  return after(queries.stats(app, name), json);
};
