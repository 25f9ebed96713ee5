/** `earshot webhooks redeliver`: asks the server of a data folder to send events again. */
import type { App } from "#core/app";
import { Refused } from "#store/refused";
import type { DeliveryLog, RedeliveryAnswer, RedeliveryWish, SkippedEvent } from "#webhooks/delivery-log";
import { chosenEndpoint } from "./chosen-endpoint.ts";
import { type Given, textOf } from "./given.ts";
import { momentFrom } from "./moment.ts";
import type { Said } from "./said.ts";
import { printable } from "./terminal.ts";
import { table } from "./text-table.ts";
import { knownDelivery } from "./webhook-deliveries.ts";

const LOOK_EVERY_MS = 50;

export interface Redelivery {
  readonly appId: string;
  readonly endpointId: string;
  readonly wish: RedeliveryWish;
  /** How long the running server has to say what it makes of it; 0 where none runs. */
  readonly waitMs: number;
}

/** @throws Refused where the flags do not say what to send again, or say it twice */
export function redeliveryFrom(
  apps: readonly App[],
  flags: Given,
  log: DeliveryLog,
): Omit<Redelivery, "waitMs"> {
  const [deliveryId, named, since] = [
    textOf(flags, "delivery"),
    textOf(flags, "endpoint"),
    textOf(flags, "since"),
  ];
  const deadOnly = flags["dead-only"] === true;
  if (deliveryId !== undefined && named === undefined && since === undefined && !deadOnly) {
    const { appId, endpointId } = knownDelivery(log, deliveryId)[0];
    return { appId, endpointId, wish: { what: "delivery", deliveryId } };
  }
  if (deliveryId === undefined && named !== undefined && (since !== undefined || deadOnly)) {
    const { app, endpoint } = chosenEndpoint(apps, named);
    const target = { appId: app.id, endpointId: endpoint.id };
    if (since === undefined) return { ...target, wish: { what: "dead" } };
    const sinceMs = momentFrom("since", since, Date.now());
    return { ...target, wish: { what: deadOnly ? "dead" : "since", sinceMs } };
  }
  throw new Refused(
    "Say what to send again: --delivery ID for one delivery, --endpoint ID --since TIME for all since then, or --endpoint ID --dead-only for its dead letters; --since TIME --dead-only is for the dead letters since then.",
  );
}

export async function redeliver(
  log: DeliveryLog,
  { appId, endpointId, wish, waitMs }: Redelivery,
): Promise<Said> {
  const id = log.requestRedelivery({ appId, endpointId }, wish, Date.now());
  const answer = await answerTo(log, id, waitMs);
  return { text: answerShown(endpointId, answer), json: answer, code: answer.state === "refused" ? 1 : 0 };
}

async function answerTo(log: DeliveryLog, id: number, waitMs: number): Promise<RedeliveryAnswer> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    const answer = log.redelivery(id) ?? { state: "asked" };
    if (answer.state !== "asked" || performance.now() >= untilMs) return answer;
    await Bun.sleep(LOOK_EVERY_MS);
  }
}

function answerShown(endpointId: string, answer: RedeliveryAnswer): string {
  switch (answer.state) {
    case "asked":
      return "No server has looked at it yet. It is written down: the next one that runs on this data folder sends again.";
    case "refused":
      return `The server refused it: ${printable(answer.problem)}`;
    case "answered":
      return [
        `${eventsCounted(answer.events)} on the way again to endpoint ${endpointId}.`,
        ...(answer.skipped === 0
          ? []
          : [`${eventsCounted(answer.skipped)} skipped:`, skippedShown(answer.skippedEvents)]),
        ...(answer.skipped > answer.skippedEvents.length ? ["..."] : []),
      ].join("\n");
  }
}

function skippedShown(events: readonly SkippedEvent[]): string {
  return table([
    ["id", "event", "channel", "user", "why"],
    ...events.map(({ eventId, name, channel, userId, reason }) => [
      eventId,
      name,
      printable(channel),
      printable(userId ?? "-"),
      reason,
    ]),
  ]);
}

function eventsCounted(count: number): string {
  return count === 1 ? "1 event is" : `${count} events are`;
}
