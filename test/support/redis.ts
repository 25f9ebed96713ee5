/** A real Redis for tests: in a temporary folder, on a free port, without persistence. */
import { afterAll, beforeAll } from "bun:test";
import { findProgram } from "../../scripts/programs.mjs";
import { temporaryFolder } from "./temporary-folder.ts";

const READY_MS = 10_000;
const STARTS = 5; // another program may take the port between the look and the start

/** Where redis-server is, or undefined: then tests that need it are skipped. */
export const redisProgram: string | undefined = findProgram("redis");

export class RedisServer {
  readonly #program: string;
  readonly #port: number;
  readonly #settings: readonly string[];
  #process: Bun.Subprocess | undefined;

  private constructor(program: string, port: number, settings: readonly string[]) {
    this.#program = program;
    this.#port = port;
    this.#settings = settings;
  }

  /**
   * Starts one, for the caller to stop. It also ends when this process is killed.
   * @param settings further ones, such as "--cluster-enabled", "yes"
   */
  static async start(program: string, settings: readonly string[] = []): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(program, freePort(), settings);
      try {
        await server.resume();
        return server;
      } catch (error) {
        if (attempt === STARTS) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Ends the server at once; what it held is gone. */
  async crash(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
    this.#process = undefined;
  }

  /** It stands still, as behind a network that swallows everything, until `thaw`. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Starts it again on the same port, empty, and resolves when it answers. */
  async resume(): Promise<void> {
    const network = ["--port", String(this.#port), "--bind", "127.0.0.1"];
    const storage = ["--save", "", "--appendonly", "no", "--dir", temporaryFolder()];
    const child = Bun.spawn([this.#program, ...network, ...storage, ...this.#settings], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    this.#process = child;
    endWithThisProcess(child);
    let said = "";
    const isReady = (async () => {
      const decoder = new TextDecoder();
      for await (const bytes of child.stdout) {
        said += decoder.decode(bytes, { stream: true });
        if (said.includes("Ready to accept connections")) return true;
      }
      return false;
    })();
    const isLate = Bun.sleep(READY_MS).then(() => false);
    if (await Promise.race([isReady, isLate])) return;
    await this.crash();
    throw new Error(`redis-server did not start:\n${said}`);
  }

  stop(): Promise<void> {
    return this.crash();
  }
}

/** One server for the tests of a file, also stopped when they fail. To be called where the tests are declared. */
export function useRedis(settings: readonly string[] = []): { readonly server: RedisServer } {
  const program = redisProgram;
  let server: RedisServer | undefined;
  if (program !== undefined) {
    beforeAll(async () => {
      server = await RedisServer.start(program, settings);
    }, READY_MS * STARTS);
    afterAll(() => server?.stop());
  }
  return {
    get server() {
      if (server === undefined) throw new Error("Redis is not installed: skip the test where it is missing");
      return server;
    },
  };
}

/** The pipe to this shell ends with this process, however that ends. */
function endWithThisProcess(child: Bun.Subprocess): void {
  const script = 'trap "" HUP INT TERM; cat >/dev/null; kill -9 "$1"';
  const end = Bun.spawn(["sh", "-c", script, "redis-end", String(child.pid)], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  end.unref();
  void child.exited.then(() => end.kill("SIGKILL")); // by then the number may be another process's
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
