import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { cpuSeconds } from "./usage.ts";

const START_TIMEOUT_MS = 10_000;
const LOOK_MS = 20;

/** A Redis of the bench's own that keeps nothing on disk. */
export class RedisProcess {
  readonly port: number;
  readonly #child: Bun.Subprocess;
  readonly #folder: string;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    const settings = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
    this.#child = Bun.spawn(["redis-server", ...settings, "--save", "", "--appendonly", "no"], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
    });
  }

  static async start(): Promise<RedisProcess> {
    if (Bun.which("redis-server") === null)
      throw new Error("redis-server is not there: install it (apt-get install redis-server)");
    const redis = new RedisProcess(freePort(), mkdtempSync(join(tmpdir(), "earshot-bench-redis-")));
    for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += LOOK_MS) {
      if (await isListening(redis.port)) return redis;
      await Bun.sleep(LOOK_MS);
    }
    await redis.stop();
    throw new Error(`redis-server was not ready in ${START_TIMEOUT_MS / 1_000} s`);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  cpuSeconds(): number {
    return cpuSeconds(this.#child.pid);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function isListening(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => undefined } });
    socket.end();
    return true;
  } catch {
    return false; // not yet
  }
}
