/** `earshot serve`: one server, from its settings to its last client. */
import { hostname } from "node:os";
import { LedgerProblem } from "#cluster/local/ledger";
import { type Settings, settingRow } from "#config/fields";
import { parseGivenApp } from "#config/given-app";
import { loadSettings } from "#config/load";
import { InvalidApp } from "#core/app";
import { type Log, makeLog } from "#observe/log";
import { AppDirectory } from "#store/app-directory";
import { Apps } from "#store/apps";
import { type Database, openDatabase } from "#store/database";
import { type DataFolder, ownDataFolder } from "#store/folder";
import { Operators } from "#store/operators";
import { Refused } from "#store/refused";
import { DatabaseProblem } from "#store/sql";
import { nativeDigest } from "#transport/digest";
import { firstLightPages } from "#transport/first-light";
import { DeliveryFileProblem } from "#webhooks/delivery-file";
import manifest from "../../package.json" with { type: "json" };
import { type RunningServer, startServer } from "../server.ts";
import { watchLauncher } from "./launcher-watch.ts";
import { listenProblem } from "./listen-problem.ts";

/** What a person must write down, because it is shown once. */
interface FirstStart {
  readonly lines: readonly string[];
}

/** Runs until it is told to stop. Returns the exit code. */
export async function serve(args: readonly string[]): Promise<number> {
  const loaded = loadSettings({ args, env: process.env });
  if (!loaded.ok) {
    for (const problem of loaded.problems) console.error(problem);
    return 1;
  }
  const { settings } = loaded;
  const log = makeLog({ level: settings["log.level"] });
  catchStrays(log);
  const stopAsked = untilAskedToStop(log);
  let folder: DataFolder | undefined;
  let database: Database | undefined;
  let directory: AppDirectory | undefined;
  try {
    folder = ownDataFolder(settings["data.dir"]);
    database = await openDatabase({ dataDir: settings["data.dir"], url: settings["database.url"] });
    const apps = new Apps(database);
    await ensureGiven(apps, settings, log);
    directory = await AppDirectory.start({ database, refreshMs: settings["apps.refreshMs"], log });
    const server = start(settings, directory, log);
    // Only now: what a start that fails for its port had made would never be shown to anybody.
    const firstStart = await makeFirst(apps, new Operators(database));
    await directory.refresh();
    folder.announce(reachableUrl(server.url));
    console.log(`Earshot is listening on ${server.url}`);
    if (settings.dev) console.log(`Open ${reachableUrl(server.url)}/ in a browser to see events arrive.`);
    for (const line of firstStart.lines) console.log(line);
    log.info(
      { url: server.url, pid: process.pid, apps: directory.all().length, host: hostname() },
      "started",
    );
    const why = await stopAsked;
    log.info({ why }, "stopping: clients are sent to the next process");
    await server.stop();
    log.info({}, "stopped");
    return 0;
  } catch (problem) {
    const line = personsProblem(problem, settings);
    if (line === undefined) throw problem;
    console.error(line);
    return 1;
  } finally {
    await directory?.stop();
    await database?.close();
    folder?.release();
  }
}

function start(settings: Settings, apps: AppDirectory, log: Log): RunningServer {
  const unreadyReason = () => (apps.isCurrent ? undefined : "the database does not answer");
  const { version } = manifest;
  if (!settings.dev) return startServer({ settings, apps, log, version, unreadyReason });
  let url = "";
  const pages = firstLightPages({
    app: () => apps.all()[0],
    url: () => url,
    digest: nativeDigest(),
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    command: "npx earshot",
    triggerFlags:
      settings["data.dir"] === settingRow("data.dir").default ? [] : ["--data", settings["data.dir"]],
  });
  const server = startServer({ settings, apps, log, version, unreadyReason, pages });
  url = reachableUrl(server.url);
  return server;
}

async function ensureGiven(apps: Apps, settings: Settings, log: Log): Promise<void> {
  for (const text of settings["apps.given"]) {
    const given = parseGivenApp(text);
    const ensured = given === undefined ? undefined : await apps.ensure(given);
    if (ensured === "key is revoked") {
      log.warn(
        { app: given?.id, key: given?.key },
        "this key of --app was revoked and stays so: nobody can use it",
      );
    }
  }
}

/** On the very first start, makes an operator, and an app where there is none. */
async function makeFirst(apps: Apps, operators: Operators): Promise<FirstStart> {
  const operator = await operators.makeFirst();
  if (operator === undefined) return { lines: [] };
  const lines = ["", "This is the first start. What follows is shown once, so keep it:", ""];
  if ((await apps.list()).length === 0) {
    const app = await apps.create({ name: "First app" });
    const pair = app.keys[0];
    lines.push(
      `  app id    ${app.id}`,
      `  key       ${pair?.key ?? ""}`,
      `  secret    ${pair?.secret ?? ""}`,
      "",
    );
  }
  lines.push(`  operator  ${operator.name}`, `  password  ${operator.password}`, "");
  return { lines };
}

/** A server on all addresses is found on the loopback one by commands on the same machine. */
function reachableUrl(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

/** A signal may arrive twice: from the terminal, and from who started the server and passes on what it got. */
const SAME_SIGNAL_MS = 1_000;

/** Resolves with the reason. A second signal ends the process at once. */
function untilAskedToStop(log: Log): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const stopWatching = watchLauncher(process.env, () => resolve("npm or npx, which started it, is gone"));
  let askedMs: number | undefined;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (askedMs !== undefined) {
        if (performance.now() - askedMs > SAME_SIGNAL_MS) process.exit(1);
        return;
      }
      askedMs = performance.now();
      stopWatching();
      log.debug({ signal }, "signal received");
      resolve(signal);
    });
  }
  return promise;
}

/** Nothing should come here; what does is written down, and nobody is disconnected for it. */
function catchStrays(log: Log): void {
  const report = (problem: unknown) =>
    log.error(
      { problem: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem) },
      "a stray failure",
    );
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}

/** One line for what a person can mend; undefined for a bug. */
function personsProblem(problem: unknown, settings: Settings): string | undefined {
  const forPersons = [Refused, DatabaseProblem, LedgerProblem, DeliveryFileProblem, InvalidApp];
  if (problem instanceof Error && forPersons.some((kind) => problem instanceof kind)) return problem.message;
  return problem instanceof Error ? listenProblem(problem, settings) : undefined;
}
