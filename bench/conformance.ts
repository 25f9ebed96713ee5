/**
 * `npm run conformance`: the conformance kit against each server in turn, and the page that compares them.
 *
 *     npm run conformance              runs all and writes docs/protocol/conformance.md
 *     npm run conformance -- earshot   runs one and writes nothing
 */
import { join } from "node:path";
import type { Result } from "../packages/server/src/cli/conformance/check.ts";
import { linesOf, totalsLine, totalsOf } from "../packages/server/src/cli/conformance/report.ts";
import { runChecks } from "../packages/server/src/cli/conformance/run.ts";
import { chooseSections, SECTIONS } from "../packages/server/src/cli/conformance/sections.ts";
import { ANSWER_MS, type AppUnderTest, type Target } from "../packages/server/src/cli/conformance/target.ts";
import { type Column, conformancePage } from "./conformance-page.ts";
import { APP, type Contender } from "./contenders/contender.ts";
import { earshot } from "./contenders/earshot.ts";
import { soketi } from "./contenders/soketi.ts";
import { ServerProcess } from "./server-process.ts";

const PAGE = join(import.meta.dir, "../docs/protocol/conformance.md");
const PREFIX = "/realtime";
const SETTLE_MS = 1_000; // ours: a server takes up what was changed in its apps

/** Starts a server in the way that some of the checks need. */
interface Pass {
  readonly start: () => Promise<ServerProcess>;
  /** All checks where left out. */
  readonly only?: readonly string[];
  readonly app?: AppUnderTest;
  readonly prefix?: string;
  /** Waits for the server's time-outs too. */
  readonly isSlow?: true;
}

interface Peer {
  readonly name: string;
  readonly contender: Contender;
  /** The first runs everything; what a later one shows stands instead. */
  readonly passes: readonly Pass[];
}

const NO_CLIENT_EVENTS: AppUnderTest = { id: "4712", key: "quiet-key", secret: "quiet-secret" };
const TLS_ONLY: AppUnderTest = { id: "4713", key: "tls-key", secret: "tls-secret" };

const PEERS: readonly Peer[] = [
  {
    name: "Earshot",
    contender: earshot,
    passes: [
      { start: startEarshot, prefix: PREFIX, isSlow: true },
      { start: startEarshot, only: ["66"], app: NO_CLIENT_EVENTS },
      { start: startEarshot, only: ["24"], app: TLS_ONLY },
    ],
  },
  {
    name: "soketi",
    contender: soketi,
    passes: [
      { start: () => startSoketi({}) },
      {
        start: () => startSoketi({ SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES: "false" }),
        only: ["66"],
      },
      {
        // With user authentication it closes who has not signed in, in time for the checks that wait.
        start: () => startSoketi({ SOKETI_DEFAULT_APP_USER_AUTHENTICATION: "false" }),
        only: ["14", "15", "16", "17"],
        isSlow: true,
      },
      { start: () => startSoketi({ SOKETI_PATH_PREFIX: PREFIX }), only: ["3", "93"], prefix: PREFIX },
    ],
  },
];

/** With everything switched on that a check needs. */
async function startEarshot(): Promise<ServerProcess> {
  let folder = "";
  const server = await ServerProcess.start({
    ...earshot,
    command: (port, dataDir) => {
      folder = dataDir;
      const apps = [NO_CLIENT_EVENTS, TLS_ONLY].flatMap(({ id, key, secret }) => [
        "--app",
        `${id}:${key}:${secret}`,
      ]);
      return [...earshot.command(port, dataDir), "--prefix", PREFIX, "--apps-refresh-ms", "100", ...apps];
    },
  });
  const switches = ["--client-events", "true", "--subscription-count", "true", "--watchlist", "true"];
  await updateApp(folder, APP.id, ...switches);
  await updateApp(folder, TLS_ONLY.id, "--tls-only", "true");
  await Bun.sleep(SETTLE_MS);
  return server;
}

async function updateApp(folder: string, id: string, ...change: string[]): Promise<void> {
  const [program = ""] = earshot.command(0, folder);
  const child = Bun.spawn([program, "apps", "update", id, ...change, "--data", folder], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) throw new Error(`app ${id} could not be changed (see above)`);
}

/** With everything switched on that its documentation offers for a check. */
function startSoketi(more: Readonly<Record<string, string>>): Promise<ServerProcess> {
  return ServerProcess.start({
    ...soketi,
    env: (port) => ({
      ...soketi.env(port),
      SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES: "true",
      SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC: "10",
      SOKETI_DEFAULT_APP_USER_AUTHENTICATION: "true",
      SOKETI_EVENT_MAX_SIZE_IN_KB: "10", // the documented limit of the protocol
      ...more,
    }),
  });
}

const servers = new Set<ServerProcess>();

async function play(pass: Pass): Promise<Result[]> {
  const sections = pass.only === undefined ? SECTIONS : chooseSections(pass.only);
  if ("unknown" in sections) throw new Error(`there is no check ${sections.unknown}`);
  let server: ServerProcess | undefined;
  const start = async (): Promise<Target> => {
    await end(server);
    server = await pass.start();
    servers.add(server);
    return {
      url: new URL(`http://127.0.0.1:${server.target.port}`),
      app: pass.app ?? APP,
      answerMs: ANSWER_MS,
      isSlow: pass.isSlow === true,
      pid: server.pid,
      ...(pass.prefix === undefined ? {} : { prefix: pass.prefix }),
    };
  };
  let before: Result | undefined;
  const tell = (result: Result) => {
    for (const line of linesOf(result, before, sections, false)) console.log(line);
    before = result;
  };
  try {
    return await runChecks(sections, await start(), { tell, revive: start });
  } finally {
    await end(server);
  }
}

async function end(server: ServerProcess | undefined): Promise<void> {
  if (server === undefined || !servers.delete(server)) return;
  await server.stop();
}

async function columnOf({ name, contender, passes }: Peer): Promise<Column> {
  await contender.prepare();
  const version = await contender.version();
  console.log(`\n${name} ${version}\n`);
  const [first, ...others] = passes;
  if (first === undefined) throw new Error(`${name} has nothing to run`);
  let results = await play(first);
  for (const pass of others) {
    const shown = new Map(
      (await play(pass))
        .filter(({ outcome }) => outcome !== "skip")
        .map((result) => [result.number, result] as const),
    );
    results = results.map((result) => shown.get(result.number) ?? result);
  }
  console.log(`\n${name}: ${totalsLine(totalsOf(results))}`);
  return { name, version, results };
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    void Promise.all([...servers].map((server) => server.stop())).finally(() => process.exit(1));
  });
}
const [wanted] = process.argv.slice(2);
const chosen = PEERS.filter(({ name }) => wanted === undefined || name.toLowerCase() === wanted);
if (chosen.length === 0) {
  console.error(
    `conformance: there is no ${wanted}: name one of ${PEERS.map(({ name }) => name.toLowerCase()).join(", ")}.`,
  );
  process.exit(2);
}
try {
  const columns: Column[] = [];
  for (const peer of chosen) columns.push(await columnOf(peer));
  if (wanted === undefined) {
    await Bun.write(PAGE, conformancePage(SECTIONS, columns));
    console.log("written to docs/protocol/conformance.md");
  }
  const [own] = columns;
  process.exitCode = own !== undefined && totalsOf(own.results).failed > 0 ? 1 : 0;
} catch (reason) {
  console.error(`conformance: ${reason instanceof Error ? reason.message : reason}`);
  process.exit(1);
}
