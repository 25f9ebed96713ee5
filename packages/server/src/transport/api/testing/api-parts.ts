import type { WebhookProgress } from "#core/ports";
import { ManualAlarm } from "#core/testing/manual-alarm";
import type { World } from "#core/testing/world";
import { GateReports } from "../../gate-reports.ts";
import type { ApiParts } from "../endpoint.ts";

export interface WorldApiParts extends ApiParts {
  /** Moves the time of the world. */
  readonly alarm: ManualAlarm;
  /** What `webhookStatus` answers; a test fills it. */
  readonly progress: WebhookProgress[];
}

/** What the endpoints use, of a world of fake sockets. */
export function apiPartsOf(world: World): WorldApiParts {
  const { publisher, queries, taps, users, apps, outbox, clock } = world;
  const alarm = new ManualAlarm(clock);
  const progress: WebhookProgress[] = [];
  return {
    publisher,
    queries,
    taps,
    users,
    apps,
    outbox,
    clock,
    webhookStatus: { progress: () => progress },
    gates: new GateReports(clock),
    later: alarm.later,
    alarm,
    progress,
  };
}
