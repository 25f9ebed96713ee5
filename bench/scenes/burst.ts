import type { Delivery } from "../load/order.ts";
import type { Figures, Stage } from "../scene.ts";
import { mib } from "../usage.ts";

const CHANNEL = "bench";

/** Collectors of garbage that the warm-up left get this long, outside of what is measured. */
const SETTLE_MS = 500;

/** Publishes to one channel as fast as the server answers, first to warm it up, then measured. */
export async function burst(
  { server, startLoad }: Stage,
  sizes: {
    subscribers: number;
    triggers: number;
    warmUp: number;
    bytes: number;
    inFlight: number;
    samples: number;
  },
): Promise<Figures> {
  const load = await startLoad();
  const gathered = await load.ask({
    order: "gather",
    count: sizes.subscribers,
    channel: CHANNEL,
    ownChannels: false,
    concurrency: 64,
    inbox: "counting",
    samples: sizes.samples,
  });
  if (gathered.failed > 0) throw new Error(`${gathered.failed} subscribers failed: ${gathered.firstFailure}`);

  const publish = { order: "publish", inFlight: sizes.inFlight, forMs: Number.MAX_SAFE_INTEGER } as const;
  await load.ask({ order: "prepare", channel: CHANNEL, count: sizes.warmUp, bytes: sizes.bytes });
  await load.ask(publish);

  await load.ask({ order: "prepare", channel: CHANNEL, count: sizes.triggers, bytes: sizes.bytes });
  await Bun.sleep(SETTLE_MS);
  const before = server.cpuSeconds();
  const loadBefore = load.cpuSeconds();
  const delivery = await load.ask(publish);
  const cpuSeconds = server.cpuSeconds() - before;
  const loadCpuSeconds = load.cpuSeconds() - loadBefore;
  return { ...deliveryFigures(delivery), cpuSeconds, loadCpuSeconds, residentMib: mib(server.residentKib()) };
}

export function deliveryFigures(delivery: Delivery): Figures {
  if (delivery.accepted === 0) throw new Error(`every trigger was refused: ${delivery.firstRefusal}`);
  return {
    accepted: delivery.accepted,
    refused: delivery.refused,
    due: delivery.due,
    delivered: delivery.delivered,
    lost: delivery.due - delivery.delivered,
    lostPercent: (100 * (delivery.due - delivery.delivered)) / delivery.due,
    wrong: delivery.wrong,
    closed: delivery.closed,
    wallSeconds: delivery.wallMs / 1000,
    deliveriesPerSecond: delivery.delivered / (delivery.wallMs / 1000),
    triggersPerSecond: delivery.accepted / (delivery.wallMs / 1000),
  };
}
