/** `earshot webhooks deliveries`: what was sent and what became of it. Names of channels and answers are others' text. */
import { parseWebhook, UnreadableWebhook } from "@earshot/protocol/webhook";
import type { App } from "#core/app";
import { Refused } from "#store/refused";
import type { Attempt, DeadLetter, DeliveryLog } from "#webhooks/delivery-log";
import { chosenEndpoint } from "./chosen-endpoint.ts";
import { type Given, textOf } from "./given.ts";
import { momentFrom } from "./moment.ts";
import type { Said } from "./said.ts";
import { printable } from "./terminal.ts";
import { date, table } from "./text-table.ts";

const MAX_PROBLEM_CHARS = 60; // ours: the whole text is in --show and --json
const MAX_EVENTS_CHARS = 100;
const DEFAULT_LIMIT = 20; // ours: fits a screen
const MAX_LIMIT = 10_000; // ours: all are read at once

export interface DeliveryQuery {
  readonly apps: readonly App[];
  readonly endpointId: string | undefined;
  readonly sinceMs: number;
  readonly limit: number;
}

/** @throws Refused where a flag is not of its kind */
export function queryFrom(apps: readonly App[], flags: Given): DeliveryQuery {
  const [named, since, limit] = [textOf(flags, "endpoint"), textOf(flags, "since"), textOf(flags, "limit")];
  return {
    apps,
    endpointId: named === undefined ? undefined : chosenEndpoint(apps, named).endpoint.id,
    sinceMs: since === undefined ? 0 : momentFrom("since", since, Date.now()),
    limit: limit === undefined ? DEFAULT_LIMIT : limitFrom(limit),
  };
}

function limitFrom(text: string): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new Refused(
    `--limit ${JSON.stringify(text)} is not valid: use a whole number from 1 to ${MAX_LIMIT}.`,
  );
}

/** Newest first. */
export function deliveries(log: DeliveryLog, query: DeliveryQuery, onlyFailed: boolean): Said {
  const { endpointId, sinceMs, limit } = query;
  const attempts = query.apps
    .flatMap(({ id: appId }) =>
      log.attempts({
        appId,
        ...(endpointId === undefined ? {} : { endpointId }),
        onlyFailed,
        sinceMs,
        limit,
      }),
    )
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, limit);
  const head = ["time", "endpoint", "delivery", "attempt", "outcome", "duration", "events"];
  const text =
    attempts.length === 0 ? "There are no such deliveries." : table([head, ...attempts.map(rowOf)]);
  return { text, json: attempts };
}

/** Newest first. */
export function deadLetters(log: DeliveryLog, query: DeliveryQuery): Said {
  const { endpointId, sinceMs, limit } = query;
  const letters = query.apps
    .flatMap(({ id: appId }) =>
      log.deadLetters({ appId, ...(endpointId === undefined ? {} : { endpointId }), limit }),
    )
    .filter(({ diedMs }) => diedMs >= sinceMs)
    .sort((a, b) => b.diedMs - a.diedMs)
    .slice(0, limit);
  const head = ["time", "endpoint", "delivery", "attempts", "reason", "problem", "event", "id"];
  const text =
    letters.length === 0 ? "There are no such dead letters." : table([head, ...letters.map(deadRowOf)]);
  return { text, json: letters };
}

/**
 * Every attempt of one delivery, with request and response.
 *
 * @throws Refused where the log does not know it
 */
export function deliveryShown(log: DeliveryLog, deliveryId: string): Said {
  const attempts = knownDelivery(log, deliveryId);
  return { text: attempts.map(attemptShown).join("\n\n"), json: attempts };
}

/** @throws Refused where the log does not know it */
export function knownDelivery(log: DeliveryLog, deliveryId: string): readonly [Attempt, ...Attempt[]] {
  const [first, ...others] = log.delivery(deliveryId);
  if (first !== undefined) return [first, ...others];
  throw new Refused(
    `There is no delivery ${JSON.stringify(deliveryId)} in the log, which keeps the newest: see "earshot webhooks deliveries".`,
  );
}

function rowOf(attempt: Attempt): readonly string[] {
  return [
    date(attempt.atMs),
    attempt.endpointId,
    attempt.deliveryId,
    String(attempt.attempt),
    shortened(outcomeOf(attempt), MAX_PROBLEM_CHARS),
    `${attempt.durationMs} ms`,
    shortened(eventsOf(attempt.request), MAX_EVENTS_CHARS),
  ];
}

function deadRowOf(letter: DeadLetter): readonly string[] {
  return [
    date(letter.diedMs),
    letter.endpointId,
    letter.deliveryId ?? "none",
    String(letter.attempts),
    letter.reason,
    shortened(letter.problem, MAX_PROBLEM_CHARS),
    shortened(eventsOf(`{"time_ms":0,"events":[${letter.eventJson}]}`), MAX_EVENTS_CHARS),
    letter.eventId,
  ];
}

function attemptShown(attempt: Attempt): string {
  return [
    table([
      ["delivery", attempt.deliveryId],
      ["endpoint", attempt.endpointId],
      ["app", attempt.appId],
      ["attempt", String(attempt.attempt)],
      ["time", date(attempt.atMs)],
      ["duration", `${attempt.durationMs} ms`],
      ["signed with", attempt.signingKey],
      ["outcome", printable(outcomeOf(attempt))],
    ]),
    "request",
    inLines(attempt.request),
    ...(attempt.outcome.answered ? ["response", inLines(attempt.outcome.response)] : []),
  ].join("\n");
}

function outcomeOf({ outcome }: Attempt): string {
  return outcome.answered ? String(outcome.status) : outcome.problem;
}

/** Such as `channel_occupied orders, member_added presence-room u-7`. */
function eventsOf(body: string): string {
  const webhook = parseWebhook(body);
  if (webhook instanceof UnreadableWebhook) return webhook.problem;
  return webhook.events
    .map((event) => [event.name, event.channel, ...("user_id" in event ? [event.user_id] : [])].join(" "))
    .join(", ");
}

function shortened(text: string, maxChars: number): string {
  return printable(text.length <= maxChars ? text : `${text.slice(0, maxChars)}...`);
}

/** Indented, so that no line of it looks like one of ours. */
function inLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => `  ${printable(line)}`)
    .join("\n");
}
