import { writeWebhook } from "@earshot/protocol/webhook";
import type { Chance } from "#core/ports";
import type { AttemptRow } from "./attempt-table.ts";
import { stamped, type TriedBatch, versionsOf } from "./batch.ts";
import type { LaneHost } from "./parts.ts";
import { signingPair, webhookRequest } from "./request.ts";
import type { SendResult } from "./sender.ts";

/** Sends a batch, signed with the key that is the oldest active one now. Returns also what the log is to hold of it. */
export async function makeAttempt(
  host: LaneHost,
  batch: TriedBatch,
): Promise<{ readonly result: SendResult; readonly row: AttemptRow }> {
  const { app, endpoint, parts } = host;
  const pair = signingPair(app);
  if (pair === undefined) throw new Error(`app ${app.id} has no active key`); // never: then the endpoint is not open
  const atMs = parts.clock.wallMs();
  const events = batch.items.map((item) => stamped(app.id, item));
  const request = webhookRequest({
    endpoint,
    pair,
    digest: parts.digest,
    body: writeWebhook({ timeMs: batch.timeMs, events }),
    deliveryId: batch.deliveryId,
    attempt: batch.attempts,
    firstAttemptMs: batch.firstAttemptMs,
    userAgent: parts.userAgent,
  });
  const result = await parts.send(request);
  const row: AttemptRow = {
    deliveryId: batch.deliveryId,
    attempt: batch.attempts,
    atMs,
    versions: versionsOf(batch.items),
    signingKey: pair.key,
    request: request.body,
    outcome: result.answered
      ? { answered: true, status: result.status, response: result.body }
      : { answered: false, problem: result.problem },
    durationMs: result.durationMs,
  };
  return { result, row };
}

const ID_CHARS = 20; // ours: chance decides 80 bits
const FOUR_HEX_DIGITS = 0x10000;

export function newDeliveryId(chance: Chance): string {
  let id = "";
  while (id.length < ID_CHARS) id += chance.integer(FOUR_HEX_DIGITS).toString(16).padStart(4, "0");
  return id;
}
