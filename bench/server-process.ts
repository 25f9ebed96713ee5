import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APP, type Contender } from "./contenders/contender.ts";
import { freePort } from "./free-port.ts";
import type { Target } from "./load/target.ts";
import { cpuSeconds, residentKib } from "./usage.ts";

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
/** Where the clients of the bench connect to, in turn. */
export const LOOPBACK: Target["hosts"] = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
const STEP_MS = 50;

/** Raises the limit of open files to what the machine allows, then becomes the server: no process stays in between. */
export const WITH_ALL_FILES = ["sh", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh"];

/** A server that the bench has started, as a process of its own in a folder of its own. */
export class ServerProcess {
  readonly target: Target;
  readonly pid: number;
  readonly dataDir: string;
  readonly #child: Bun.Subprocess;
  readonly #folder: string;

  private constructor(target: Target, pid: number, child: Bun.Subprocess, folder: string) {
    this.target = target;
    this.pid = pid;
    this.#child = child;
    this.#folder = folder;
    this.dataDir = dataDirOf(folder);
  }

  static async start(contender: Contender): Promise<ServerProcess> {
    const folder = mkdtempSync(join(tmpdir(), `earshot-bench-${contender.name}-`));
    const dataDir = dataDirOf(folder);
    const logFile = join(folder, "server.log");
    const port = freePort();
    const log = openSync(logFile, "w");
    const child = Bun.spawn([...WITH_ALL_FILES, ...contender.command(port, dataDir)], {
      cwd: folder,
      env: { ...process.env, ...contender.env(port) },
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
    closeSync(log);
    await ready(contender, child, logFile).catch((reason: unknown) => {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
      throw reason;
    });
    const pidFile = contender.pidFile?.(dataDir);
    const pid = pidFile === undefined ? child.pid : Number(readFileSync(pidFile, "utf8").trim());
    const target = { hosts: LOOPBACK, port, appId: APP.id, key: APP.key, secret: APP.secret };
    return new ServerProcess(target, pid, child, folder);
  }

  cpuSeconds(): number {
    return cpuSeconds(this.pid);
  }

  residentKib(): number {
    return residentKib(this.pid);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const insist = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#child.exited;
    clearTimeout(insist);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function dataDirOf(folder: string): string {
  return join(folder, "data");
}

async function ready(contender: Contender, child: Bun.Subprocess, logFile: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += STEP_MS) {
    if (readFileSync(logFile, "utf8").includes(contender.readyText)) return;
    if (child.exitCode !== null) break;
    await Bun.sleep(STEP_MS);
  }
  const last = readFileSync(logFile, "utf8").trim().split("\n").slice(-8).join("\n");
  const how =
    child.exitCode === null
      ? `was not ready in ${START_TIMEOUT_MS / 1000} s`
      : `exited with ${child.exitCode}`;
  throw new Error(
    `${contender.name} ${how}: ${contender.command(0, "DATA").slice(0, 3).join(" ")} ...\n${last}`,
  );
}
