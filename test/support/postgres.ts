/** A real PostgreSQL for tests: in a temporary folder, on a free port. */
import { afterAll, beforeAll } from "bun:test";
import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "../../scripts/programs.mjs";

const USER = "earshot";
const PASSWORD = "p@ss:w/rd"; // what an address must escape
const READY_MS = 30_000;

/** Where its programs are, or undefined: then tests that need it are skipped. */
export const postgresPrograms: string | undefined = findProgram("postgres");

export class PostgresServer {
  readonly #programs: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #account: Account | undefined;
  #process: Bun.Subprocess | undefined;
  #databases = 0;

  private constructor(programs: string, folder: string, port: number, account: Account | undefined) {
    this.#programs = programs;
    this.#folder = folder;
    this.#port = port;
    this.#account = account;
  }

  /** Starts one, for the caller to stop. As root it also ends when this process is killed. */
  static async start(programs: string): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), "earshot-postgres-"));
    const account = accountForRoot();
    const server = new PostgresServer(programs, folder, await freePort(), account);
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, PASSWORD);
    for (const path of [folder, passwordFile]) if (account) chownSync(path, account.uid, account.gid);
    const options = [
      "--auth=scram-sha-256",
      `--pwfile=${passwordFile}`,
      "--no-sync",
      "--locale=C",
      "--encoding=UTF8",
    ];
    const [command = "", ...args] = asAccount(account, [
      join(programs, "initdb"),
      `--pgdata=${join(folder, "data")}`,
      `--username=${USER}`,
      ...options,
    ]);
    const made = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || made.error?.message}`);
    await server.resume();
    return server;
  }

  /** A new, empty database. */
  async createDatabase(): Promise<string> {
    this.#databases++;
    const name = `test_${this.#databases}`;
    const sql = new Bun.SQL(this.#url("postgres"), { max: 1, database: "postgres" });
    try {
      await sql.unsafe(`CREATE DATABASE ${name}`);
    } finally {
      await sql.close();
    }
    return this.#url(name);
  }

  /** Ends the server at once, as a crash would; the data stays. */
  async crash(): Promise<void> {
    this.#process?.kill("SIGQUIT");
    await this.#process?.exited;
    this.#process = undefined;
  }

  /** Starts it again on the same port, and resolves when it answers. */
  async resume(): Promise<void> {
    const settings = {
      listen_addresses: "127.0.0.1",
      port: this.#port,
      unix_socket_directories: "",
      fsync: "off",
      max_connections: 50,
    };
    const log = join(this.#folder, "log");
    this.#process = Bun.spawn(
      asAccount(this.#account, [
        join(this.#programs, "postgres"),
        ...["-D", join(this.#folder, "data")],
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ]),
      { cwd: this.#folder, stdout: "ignore", stderr: Bun.file(log) },
    );
    const until = performance.now() + READY_MS;
    while (!(await this.#answers())) {
      if (this.#process.exitCode !== null || performance.now() > until) {
        throw new Error(`PostgreSQL did not start:\n${readFileSync(log, "utf8")}`);
      }
      await Bun.sleep(20);
    }
  }

  async stop(): Promise<void> {
    await this.crash();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const sql = new Bun.SQL(this.#url("postgres"), { max: 1, connectionTimeout: 2, database: "postgres" });
    try {
      await sql`SELECT 1`;
      return true;
    } catch {
      return false; // still starting
    } finally {
      await sql.close();
    }
  }

  #url(database: string): string {
    return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.#port}/${database}`;
  }
}

/** One server for the tests of a file, also stopped when they fail. To be called where the tests are declared. */
export function usePostgres(): { readonly server: PostgresServer } {
  const programs = postgresPrograms;
  let server: PostgresServer | undefined;
  if (programs !== undefined) {
    beforeAll(async () => {
      server = await PostgresServer.start(programs);
    }, READY_MS);
    afterAll(() => server?.stop());
  }
  return {
    get server() {
      if (server === undefined)
        throw new Error("PostgreSQL is not installed: skip the test where it is missing");
      return server;
    },
  };
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root, and its package brings a user for it. */
function accountForRoot(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  const account = { uid: id("-u"), gid: id("-g") };
  if (account.uid > 0 && account.gid > 0) return account;
  throw new Error(
    "PostgreSQL refuses to run as root, and there is no user postgres: run the tests as another user",
  );
}

function asAccount(account: Account | undefined, command: string[]): string[] {
  if (account === undefined) return command;
  const user = [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups", "--pdeathsig=QUIT"];
  return ["setpriv", ...user, ...command];
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}
