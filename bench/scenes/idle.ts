import { type Scene, size } from "../scene.ts";
import type { ServerProcess } from "../server-process.ts";
import { mib } from "../usage.ts";
import { gatherPrivate } from "./clients.ts";

const POLL_MS = 1_000;
/** Resident memory counts as settled when its last readings differ by less than this share. */
const SETTLED_READINGS = 5;
const SETTLED_SHARE = 0.005;
const SETTLE_TIMEOUT_MS = 60_000;

export const idle: Scene = {
  name: "idle",
  title: (sizes) =>
    `idle: ${size(sizes, "clients").toLocaleString("en")} connections, each with one private subscription of its own`,
  sizes: [
    { flag: "clients", default: 15_000, doc: "connections" },
    { flag: "warm-up", default: 500, doc: "connections that came and went before the first reading" },
    { flag: "concurrency", default: 128, doc: "clients that are connecting at one time" },
  ],
  connections: (sizes) => size(sizes, "clients"),
  columns: [
    { figure: "kibPerConnection", title: "KiB RSS/connection", digits: 2, spread: true },
    { figure: "beforeMib", title: "RSS before MiB", digits: 1 },
    { figure: "afterMib", title: "RSS after MiB", digits: 1 },
    { figure: "listening", title: "subscribed", digits: 0 },
    { figure: "settleSeconds", title: "settled after s", digits: 0 },
  ],
  compared: "kibPerConnection",
  budgets: [
    {
      what: "RSS per idle connection with one private subscription",
      figure: "kibPerConnection",
      of: "earshot",
      bound: "at most",
      limit: 4,
      unit: " KiB",
    },
  ],
  play: async ({ server, startLoad }, sizes) => {
    const load = await startLoad();
    const concurrency = size(sizes, "concurrency");
    await gatherPrivate(load, size(sizes, "warm-up"), concurrency);
    await load.ask({ order: "disperse" });
    const before = await settledKib(server);
    const gathered = await gatherPrivate(load, size(sizes, "clients"), concurrency);
    const after = await settledKib(server);
    return {
      listening: gathered.listening,
      lost: gathered.failed,
      beforeMib: mib(before.kib),
      afterMib: mib(after.kib),
      kibPerConnection: (after.kib - before.kib) / gathered.listening,
      settleSeconds: after.afterMs / 1000,
    };
  },
};

async function settledKib(server: ServerProcess): Promise<{ kib: number; afterMs: number }> {
  const readings: number[] = [];
  for (let afterMs = 0; ; afterMs += POLL_MS) {
    await Bun.sleep(POLL_MS);
    readings.push(server.residentKib());
    const last = readings.slice(-SETTLED_READINGS);
    const kib = last.at(-1) ?? 0;
    const isSettled =
      last.length === SETTLED_READINGS && Math.max(...last) - Math.min(...last) < kib * SETTLED_SHARE;
    if (isSettled || afterMs >= SETTLE_TIMEOUT_MS) return { kib, afterMs };
  }
}
