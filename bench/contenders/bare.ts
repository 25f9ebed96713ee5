import { join } from "node:path";
import { APP, type Contender } from "./contender.ts";

export const bare: Contender = {
  name: "bare",
  version: () => Promise.resolve(`Bun.serve ${Bun.version}`),
  prepare: () => Promise.resolve(),
  command: (port) => [
    process.execPath,
    join(import.meta.dir, "../peers/bare/server.ts"),
    String(port),
    `${APP.id}:${APP.key}:${APP.secret}`,
  ],
  env: () => ({}),
  readyText: "bare is listening on",
  pidFile: undefined,
};
