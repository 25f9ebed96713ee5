import { existsSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { APP, type Contender } from "./contender.ts";

const home = join(import.meta.dir, "../peers/soketi");
const program = join(home, "node_modules/@soketi/soketi/bin/server.js");
const VERSION = "1.6.1";

/** Versions of Node whose binary interface the native part of uWebSockets.js 20.30 was built for: Node 16, 18 and 20. */
const NATIVE_MODULES = ["93", "108", "115"];

/** soketi runs on the machine's own Node, or on the one that BENCH_SOKETI_NODE names. */
const node = process.env["BENCH_SOKETI_NODE"] ?? "node";

export const soketi: Contender = {
  name: "soketi",
  version: async () => `${VERSION} on Node ${await output([node, "-p", "process.versions.node"])}`,
  prepare: async () => {
    const modules = await output([node, "-p", "process.versions.modules"]);
    if (!NATIVE_MODULES.includes(modules)) {
      throw new Error(
        `soketi ${VERSION} needs Node 16, 18 or 20 (its WebSocket engine is native), and ${node} is another version. ` +
          "Name a fitting one in BENCH_SOKETI_NODE, or leave soketi out: --only earshot,bare",
      );
    }
    if (existsSync(program)) return;
    console.log(`installing soketi ${VERSION} into bench/peers/soketi (about 300 MB)`);
    // Not `npm ci`, which refuses a lock file that leaves out optional packages of other platforms; the lock is obeyed all the same.
    const install = Bun.spawn(["npm", "install", "--no-save", "--ignore-scripts", "--loglevel=error"], {
      cwd: home,
      stdout: "inherit",
      stderr: "inherit",
    });
    if ((await install.exited) !== 0) {
      throw new Error("soketi could not be installed (see above); leave it out with --only earshot,bare");
    }
  },
  command: () => [node, program, "start"],
  env: (port) => ({
    SOKETI_PORT: String(port),
    SOKETI_DEFAULT_APP_ID: APP.id,
    SOKETI_DEFAULT_APP_KEY: APP.key,
    SOKETI_DEFAULT_APP_SECRET: APP.secret,
    SOKETI_METRICS_SERVER_PORT: String(freePort()),
  }),
  readyText: "Server is up and running",
  pidFile: undefined,
};

async function output(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "ignore" });
  return (await new Response(child.stdout).text()).trim();
}
