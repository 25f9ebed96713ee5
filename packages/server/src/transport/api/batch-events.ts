import { parseBatch, type Trigger } from "@earshot/protocol/api";
import { ProtocolError } from "@earshot/protocol/errors";
import { after, afterAll } from "#core/answer";
import type { Answer } from "#core/ports";
import { done, json } from "../answers.ts";
import { bodyJson } from "./body.ts";
import type { Endpoint } from "./endpoint.ts";
import { asksInfo } from "./events.ts";

/** POST /apps/ID/batch_events: all or none; asked for info, the answer has one object for each event. */
export const batchEvents: Endpoint = ({ publisher }, { app, body }) => {
  const value = bodyJson(body);
  if (value instanceof ProtocolError) return value;
  const batch = parseBatch(value, app.limits);
  if (batch instanceof ProtocolError) return batch;
  const publish = (before: Answer<void>, trigger: Trigger) =>
    after(before, () => publisher.trigger(app, trigger));
  return after(batch.reduce(publish, undefined), () => {
    if (!batch.some(asksInfo)) return done();
    const attributes = batch.map((trigger) => publisher.attributes(app, trigger.channels, trigger.info));
    return after(afterAll(attributes), (all) => json({ batch: all.map(([first]) => first ?? {}) }));
  });
};
