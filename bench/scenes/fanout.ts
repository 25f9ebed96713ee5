import { openFallbackSessions } from "../load/fallback-sessions.ts";
import { figure, type Scene, size } from "../scene.ts";
import { burst } from "./burst.ts";

/** Subscribers that read what they get and compare it with what was published; the others count. */
const SAMPLES = 4;

export const fanout: Scene = {
  name: "fanout",
  title: (sizes) => {
    const subscribers = size(sizes, "subscribers");
    const triggers = size(sizes, "triggers");
    const due = (subscribers * triggers).toLocaleString("en");
    return `fan-out: ${subscribers} subscribers of one channel, ${triggers} signed triggers of ${size(sizes, "bytes")} bytes, ${due} deliveries`;
  },
  sizes: [
    { flag: "subscribers", default: 1_000, doc: "subscribers of the one channel" },
    { flag: "triggers", default: 2_000, doc: "signed triggers that are measured" },
    { flag: "warm-up", default: 500, doc: "signed triggers before that" },
    { flag: "bytes", default: 200, doc: "length of each event's data" },
    {
      flag: "fallback-sessions",
      default: 0,
      doc: "streaming sessions of the HTTP fallback that are idle beside, where the server has them",
    },
    { flag: "in-flight", default: 16, doc: "requests under way at one time, one a connection" },
  ],
  connections: (sizes) =>
    size(sizes, "subscribers") + size(sizes, "in-flight") + size(sizes, "fallback-sessions"),
  columns: [
    { figure: "cpuSeconds", title: "CPU s", digits: 2, spread: true },
    { figure: "cpuPerDelivery", title: "us CPU/delivery", digits: 3 },
    { figure: "loadCpuSeconds", title: "client CPU s", digits: 2 },
    { figure: "wallSeconds", title: "wall s", digits: 2 },
    { figure: "deliveriesPerSecond", title: "deliveries/s", digits: 0 },
    { figure: "residentMib", title: "RSS MiB", digits: 0 },
    { figure: "fallbackSessions", title: "idle fallback sessions", digits: 0 },
  ],
  compared: "cpuPerDelivery",
  budgets: [
    {
      what: "CPU per delivery, against bare Bun.serve",
      figure: "cpuPerDelivery",
      of: "earshot/bare",
      bound: "at most",
      limit: 1.15,
      unit: "x",
    },
    {
      what: "CPU per delivery, soketi against Earshot",
      figure: "cpuPerDelivery",
      of: "soketi/earshot",
      bound: "at least",
      limit: 8,
      unit: "x",
    },
  ],
  play: async (stage, sizes) => {
    const idle = await openFallbackSessions(stage.server.target, size(sizes, "fallback-sessions"));
    const figures = await burst(stage, {
      subscribers: size(sizes, "subscribers"),
      triggers: size(sizes, "triggers"),
      warmUp: size(sizes, "warm-up"),
      bytes: size(sizes, "bytes"),
      inFlight: size(sizes, "in-flight"),
      samples: SAMPLES,
    });
    idle.close();
    return {
      ...figures,
      fallbackSessions: idle.open,
      cpuPerDelivery: (1e6 * figure(figures, "cpuSeconds")) / figure(figures, "delivered"),
    };
  },
};
