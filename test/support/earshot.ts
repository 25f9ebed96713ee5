/**
 * The real program in a process of its own, with a data folder of its own, for tests of the whole system. A server that
 * no test stops is gone with the test run, and so is its folder.
 */
import { AppMarker } from "./app-marker.ts";
import { type Child, collect, hasEnded, runProgram, spawnProgram } from "./program.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

export { temporaryFolder } from "./temporary-folder.ts";

export interface GivenApp {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

export interface EarshotOptions {
  /** More flags of `earshot serve`. */
  readonly args?: readonly string[];
  /** One app of our own where left out. */
  readonly apps?: readonly GivenApp[];
  readonly dataDir?: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Earshot {
  /** `http://HOST:PORT`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The first app. */
  readonly app: GivenApp;
  readonly dataDir: string;
  /** Of the server itself. */
  readonly pid: number;
  /** What it has written to stdout and stderr, over all its lives. */
  output(): string;
  /** `earshot apps update ID ...args` for the first app; returns when the server acts on it. */
  updateApp(...args: string[]): Promise<void>;
  /** SIGTERM to the server's own process. Returns the exit code, -1 where a signal had ended it before. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it where it runs, and starts it again on the same port and data. */
  restart(): Promise<void>;
}

const READY = /^Earshot is listening on (https?:\/\/(\S+):(\d+))$/m;
const START_MS = 30_000;
const STOP_MS = 20_000;

export const TEST_APP: GivenApp = { id: "7", key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" };

/** @throws with everything that the program said, where it does not come up */
export async function startEarshot(options: EarshotOptions = {}): Promise<Earshot> {
  const apps = options.apps ?? [TEST_APP];
  const app = apps[0];
  if (app === undefined) throw new Error("a test server needs an app");
  const dataDir = options.dataDir ?? temporaryFolder();
  const args = options.args ?? [];
  const flags = [
    ...["--data", dataDir],
    ...(args.includes("--host") ? [] : ["--host", "127.0.0.1"]),
    ...(args.includes("--apps-refresh-ms") ? [] : ["--apps-refresh-ms", "20"]),
    ...apps.flatMap(({ id, key, secret }) => ["--app", `${id}:${key}:${secret}`]),
    ...args,
  ];
  const output: string[] = [];
  const start = async (port: number): Promise<Life> => {
    const child = spawnProgram(["serve", "--port", String(port), ...flags], options.env);
    const from = output.length;
    const ended = Promise.all([collect(child.stdout, output), collect(child.stderr, output)]);
    const said = () => output.slice(from).join("");
    try {
      await until("the server is listening", () => READY.test(said()) || hasEnded(child), START_MS);
    } catch (problem) {
      child.kill("SIGKILL");
      throw new Error(`${String(problem)}\n${said()}`);
    }
    const [, url = "", host = "", listening = ""] = READY.exec(said()) ?? [];
    if (url !== "") return { child, ended, url, host, port: Number(listening) };
    await ended;
    throw new Error(`earshot serve ended with exit code ${child.exitCode}:\n${said()}`);
  };

  let life = await start(options.port ?? 0);
  const isAlive = () => !hasEnded(life.child);
  const database = args.indexOf("--database");
  const where = ["--data", dataDir, ...(database < 0 ? [] : args.slice(database, database + 2))];
  const marker = new AppMarker(where);
  const stop = async () => {
    const { child } = life;
    if (!isAlive()) return child.exitCode ?? -1;
    child.kill("SIGTERM");
    const tooLong = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await Promise.all([child.exited, life.ended]);
    clearTimeout(tooLong);
    if (child.signalCode === "SIGKILL") throw new Error(`the server did not stop:\n${output.join("")}`);
    return child.exitCode ?? -1;
  };
  return {
    app,
    dataDir,
    get url() {
      return life.url;
    },
    get host() {
      return life.host;
    },
    get port() {
      return life.port;
    },
    get pid() {
      return life.child.pid;
    },
    output: () => output.join(""),
    updateApp: async (...change) => {
      await runProgram(["apps", "update", app.id, ...change, ...where]);
      if (isAlive()) await marker.takenUp(life.url);
    },
    stop,
    kill: async () => {
      life.child.kill("SIGKILL");
      await life.child.exited;
    },
    restart: async () => {
      if (isAlive()) await stop();
      life = await start(life.port);
    },
  };
}

/** One run of the program, from its first line to its end. */
interface Life {
  readonly child: Child;
  /** Everything that it wrote has been read. */
  readonly ended: Promise<unknown>;
  readonly url: string;
  readonly host: string;
  readonly port: number;
}
