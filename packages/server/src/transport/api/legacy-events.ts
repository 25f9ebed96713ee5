import { parseLegacyTrigger } from "@earshot/protocol/api";
import { ProtocolError } from "@earshot/protocol/errors";
import { after } from "#core/answer";
import { text } from "../answers.ts";
import { bodyText } from "./body.ts";
import type { Endpoint } from "./endpoint.ts";

/** POST /apps/ID/channels/NAME/events: the publish call of 2012. Its success is 202. */
export const legacyEvents: Endpoint = ({ publisher }, { app, query, body }, [channel = ""]) => {
  const data = bodyText(body);
  if (data instanceof ProtocolError) return data;
  const trigger = parseLegacyTrigger(channel, query, data, app.limits);
  if (trigger instanceof ProtocolError) return trigger;
  return after(publisher.trigger(app, trigger), () => text(202, "202 ACCEPTED\n"));
};
