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

/** The same with more settings. */
export function earshotWith(...flags: string[]): Contender {
  return { ...earshot, command: (port, dataDir) => [...earshot.command(port, dataDir), ...flags] };
}

/** The server that runs on `dataDir` sends its webhooks there within a second. @returns the id of the endpoint */
export async function addWebhook(dataDir: string, url: string): Promise<string> {
  const what = ["--url", url, "--events", "channel_occupied,channel_vacated"];
  const child = Bun.spawn(
    [program, "webhooks", "add", "--data", dataDir, "--app", APP.id, ...what, "--json"],
    {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [said, complaint] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`earshot webhooks add failed: ${complaint}`);
  return (JSON.parse(said) as { id: string }).id; // the program's own form
}
