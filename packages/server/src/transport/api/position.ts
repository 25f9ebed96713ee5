import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import { type PositionAnswer, parsePositionQuestion } from "@earshot/protocol/occupancy";
import { afterAll, attempt } from "#core/answer";
import type { App } from "#core/app";
import type { WebhookProgress } from "#core/ports";
import { json } from "../answers.ts";
import { bodyJson } from "./body.ts";
import type { Endpoint } from "./endpoint.ts";
import { unknownState } from "./unknown-state.ts";

/** Gates may be 2 s behind the truth; what they do not hear of here must be less. */
const MAX_LAG_MS = 1_000;

/**
 * POST /apps/ID/occupancy/position: how far the truth is, and how far behind it the webhooks are. Where the truth cannot be
 * announced now, a gate must not believe that it knows who listens.
 */
export const position: Endpoint = ({ outbox, webhookStatus, gates, clock }, { app, body }) => {
  const value = bodyJson(body);
  if (value instanceof ProtocolError) return value;
  const question = parsePositionQuestion(value);
  if (question instanceof ProtocolError) return question;
  const { endpoint, gate, counters } = question;
  if (gate !== undefined && counters !== undefined) gates.report(app.id, gate, counters);
  return attempt(
    () => afterAll([outbox.position(app.id), outbox.lagMs(app.id)]),
    ([newest = 0, lagMs = 0]) => {
      if (lagMs > MAX_LAG_MS)
        return unknownState(`who came ${Math.round(lagMs)} ms ago is not announced yet`);
      const progress = progressOf(app, webhookStatus.progress(app.id), endpoint);
      if (progress instanceof ProtocolError) return progress;
      const told = toldOf(app);
      const oldestMs = Math.min(...progress.map(({ oldestWaitingMs }) => oldestWaitingMs ?? Infinity));
      const answer: PositionAnswer = {
        position: newest,
        now_ms: clock.wallMs(),
        endpoints: progress.filter(({ endpointId }) => told.has(endpointId)).length,
        oldest_undelivered_ms: Number.isFinite(oldestMs) ? oldestMs : null,
        waiting: progress.reduce((sum, { waiting }) => sum + waiting, 0),
      };
      return json(answer);
    },
    unknownState,
  );
};

/** Of the endpoint that is named, or of all that are told which channels are occupied. */
function progressOf(
  app: App,
  all: readonly WebhookProgress[],
  named: string | undefined,
): readonly WebhookProgress[] | ProtocolError {
  if (named === undefined) {
    const told = toldOf(app);
    return all.filter(({ endpointId }) => told.has(endpointId));
  }
  const found = all.filter(({ endpointId }) => endpointId === named);
  if (found.length === 0) found.push(...all.filter(({ url }) => url === named));
  return found.length > 0 ? found : protocolError("apiEndpointUnknown", { endpoint: named });
}

/** The endpoints that a gate can be fed by: they are told both of occupied and of vacated channels. */
function toldOf(app: App): ReadonlySet<string> {
  const isTold = ({ enabled, events }: App["webhooks"][number]) =>
    enabled && events.includes("channel_occupied") && events.includes("channel_vacated");
  return new Set(app.webhooks.filter(isTold).map(({ id }) => id));
}
