import { parseTrigger, type Trigger } from "@earshot/protocol/api";
import { ProtocolError } from "@earshot/protocol/errors";
import { after } from "#core/answer";
import { done, json } from "../answers.ts";
import { bodyJson } from "./body.ts";
import type { Endpoint } from "./endpoint.ts";

/** POST /apps/ID/events: one event for up to a hundred channels. */
export const events: Endpoint = ({ publisher }, { app, query, body }) => {
  const value = bodyJson(body);
  if (value instanceof ProtocolError) return value;
  const trigger = parseTrigger(value, query, app.limits);
  if (trigger instanceof ProtocolError) return trigger;
  return after(publisher.trigger(app, trigger), () => {
    if (!asksInfo(trigger)) return done();
    return after(publisher.attributes(app, trigger.channels, trigger.info), (attributes) => {
      const named = trigger.channels.map(({ name }, index) => [name, attributes[index] ?? {}] as const);
      return json({ channels: Object.fromEntries(named) }); // own keys, also for a channel called __proto__
    });
  });
};

export function asksInfo({ info }: Trigger): boolean {
  return info.userCount || info.subscriptionCount;
}
