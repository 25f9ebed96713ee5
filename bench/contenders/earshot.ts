import { existsSync } from "node:fs";
import { join } from "node:path";
import { APP, type Contender } from "./contender.ts";

const root = join(import.meta.dir, "../..");
const program = join(root, "node_modules/.bin/earshot");

export const earshot: Contender = {
  name: "earshot",
  version: async () => {
    const { version } = (await Bun.file(join(root, "packages/server/package.json")).json()) as {
      version: string;
    };
    return `${version} on Bun ${Bun.version}`;
  },
  prepare: () => {
    if (!existsSync(program))
      throw new Error("node_modules/.bin/earshot is not there: run npm install first");
    return Promise.resolve();
  },
  command: (port, dataDir) => [
    program,
    "serve",
    "--port",
    String(port),
    "--data",
    dataDir,
    "--app",
    `${APP.id}:${APP.key}:${APP.secret}`,
  ],
  env: () => ({}),
  readyText: "Earshot is listening on",
  pidFile: (dataDir) => join(dataDir, "earshot.pid"),
};
