import { figure, type Scene, size } from "../scene.ts";
import { burst } from "./burst.ts";

export const trigger: Scene = {
  name: "trigger",
  title: (sizes) =>
    `trigger: ${size(sizes, "triggers").toLocaleString("en")} signed triggers of ${size(sizes, "bytes")} bytes, one subscriber`,
  sizes: [
    { flag: "triggers", default: 100_000, doc: "signed triggers that are measured" },
    { flag: "warm-up", default: 20_000, doc: "signed triggers before that" },
    { flag: "bytes", default: 200, doc: "length of each event's data" },
    { flag: "in-flight", default: 16, doc: "requests under way at one time, one a connection" },
  ],
  connections: (sizes) => 1 + size(sizes, "in-flight"),
  columns: [
    { figure: "cpuSeconds", title: "CPU s", digits: 2, spread: true },
    { figure: "cpuPerTrigger", title: "us CPU/trigger", digits: 2 },
    { figure: "loadCpuSeconds", title: "client CPU s", digits: 2 },
    { figure: "wallSeconds", title: "wall s", digits: 2 },
    { figure: "triggersPerSecond", title: "triggers/s", digits: 0 },
    { figure: "residentMib", title: "RSS MiB", digits: 0 },
  ],
  compared: "cpuPerTrigger",
  budgets: [
    {
      what: "CPU per signed trigger, against bare Bun.serve",
      figure: "cpuPerTrigger",
      of: "earshot/bare",
      bound: "at most",
      limit: 1.6,
      unit: "x",
    },
    {
      what: "CPU per signed trigger, soketi against Earshot",
      figure: "cpuPerTrigger",
      of: "soketi/earshot",
      bound: "at least",
      limit: 3,
      unit: "x",
    },
  ],
  play: async (stage, sizes) => {
    const figures = await burst(stage, {
      subscribers: 1,
      triggers: size(sizes, "triggers"),
      warmUp: size(sizes, "warm-up"),
      bytes: size(sizes, "bytes"),
      inFlight: size(sizes, "in-flight"),
      samples: 1,
    });
    return { ...figures, cpuPerTrigger: (1e6 * figure(figures, "cpuSeconds")) / figure(figures, "accepted") };
  },
};
