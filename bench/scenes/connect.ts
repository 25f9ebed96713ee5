import { type Scene, size } from "../scene.ts";
import { mib } from "../usage.ts";
import { gatherPrivate } from "./clients.ts";

export const connect: Scene = {
  name: "connect",
  title: (sizes) =>
    `connect: ${size(sizes, "clients").toLocaleString("en")} clients connect and subscribe to a signed private channel, ${size(sizes, "concurrency")} at a time`,
  sizes: [
    { flag: "clients", default: 15_000, doc: "clients" },
    { flag: "warm-up", default: 1_000, doc: "clients that came and went before" },
    { flag: "concurrency", default: 128, doc: "clients that are connecting at one time" },
  ],
  connections: (sizes) => size(sizes, "clients"),
  columns: [
    { figure: "clientsPerSecond", title: "clients/s", digits: 0, spread: true },
    { figure: "cpuPerClient", title: "us CPU/client", digits: 1 },
    { figure: "cpuSeconds", title: "CPU s", digits: 2 },
    { figure: "loadCpuSeconds", title: "client CPU s", digits: 2 },
    { figure: "wallSeconds", title: "wall s", digits: 2 },
    { figure: "residentMib", title: "RSS MiB", digits: 0 },
  ],
  compared: "cpuPerClient",
  budgets: [
    {
      what: "connect and subscribe (private, signed)",
      figure: "clientsPerSecond",
      of: "earshot",
      bound: "at least",
      limit: 4_000,
      unit: "/s",
    },
  ],
  play: async ({ server, startLoad }, sizes) => {
    const load = await startLoad();
    const concurrency = size(sizes, "concurrency");
    await gatherPrivate(load, size(sizes, "warm-up"), concurrency);
    await load.ask({ order: "disperse" });
    await Bun.sleep(1_000);
    const before = server.cpuSeconds();
    const loadBefore = load.cpuSeconds();
    const gathered = await gatherPrivate(load, size(sizes, "clients"), concurrency);
    const cpuSeconds = server.cpuSeconds() - before;
    const loadCpuSeconds = load.cpuSeconds() - loadBefore;
    return {
      listening: gathered.listening,
      lost: gathered.failed,
      cpuSeconds,
      loadCpuSeconds,
      cpuPerClient: (1e6 * cpuSeconds) / gathered.listening,
      wallSeconds: gathered.wallMs / 1000,
      clientsPerSecond: gathered.listening / (gathered.wallMs / 1000),
      residentMib: mib(server.residentKib()),
    };
  },
};
