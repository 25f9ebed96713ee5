import { parseChannelsQuery } from "@earshot/protocol/api";
import { ProtocolError } from "@earshot/protocol/errors";
import { after } from "#core/answer";
import { json } from "../answers.ts";
import type { Endpoint } from "./endpoint.ts";

/** GET /apps/ID/channels: what is occupied now. */
export const channels: Endpoint = ({ queries }, { app, query }) => {
  const asked = parseChannelsQuery(query);
  if (asked instanceof ProtocolError) return asked;
  return after(queries.channels(app, asked.prefix, asked.info), (occupied) => json({ channels: occupied }));
};
