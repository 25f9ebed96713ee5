/**
 * `npm run conformance`: the conformance kit against each server in turn, and the page that compares them.
 *
 *     npm run conformance              runs all and writes docs/protocol/conformance.md
 *     npm run conformance -- earshot   runs one and writes nothing
 */
import { join } from "node:path";
import type { Result } from "../packages/server/src/cli/conformance/check.ts";
import { CONFORMANCE_FLAGS } from "../packages/server/src/cli/conformance/given-target.ts";
import { linesOf, totalsLine, totalsOf } from "../packages/server/src/cli/conformance/report.ts";
import { runChecks } from "../packages/server/src/cli/conformance/run.ts";
import { chooseSections, SECTIONS } from "../packages/server/src/cli/conformance/sections.ts";
import { ANSWER_MS, type Target } from "../packages/server/src/cli/conformance/target.ts";
import { setUpWebhooks, type WebhookSetup } from "../packages/server/src/cli/conformance/webhook-setup.ts";
import { TARGET_FORM } from "../packages/server/src/cli/target.ts";
import { loadSettings } from "../packages/server/src/config/load.ts";
import { type Column, conformancePage } from "./conformance-page.ts";
import { type Pass, PEERS, type Peer } from "./conformance-peers.ts";
import { APP } from "./contenders/contender.ts";
import type { ServerProcess } from "./server-process.ts";

const PAGE = join(import.meta.dir, "../docs/protocol/conformance.md");

const servers = new Set<ServerProcess>();

async function play(pass: Pass): Promise<Result[]> {
  const sections = pass.only === undefined ? SECTIONS : chooseSections(pass.only);
  if ("unknown" in sections) throw new Error(`there is no check ${sections.unknown}`);
  let server: ServerProcess | undefined;
  let webhooks: WebhookSetup | undefined;
  const end = async () => {
    await webhooks?.end();
    webhooks = undefined;
    if (server !== undefined && servers.delete(server)) await server.stop();
  };
  const start = async (): Promise<Target> => {
    await end();
    const started = await pass.start();
    server = started.server;
    servers.add(server);
    const target: Target = {
      url: new URL(`http://127.0.0.1:${server.target.port}`),
      app: pass.app ?? APP,
      answerMs: ANSWER_MS,
      isSlow: pass.isSlow === true,
      pid: server.pid,
      ...(pass.prefix === undefined ? {} : { prefix: pass.prefix }),
    };
    webhooks = await webhooksOf(started.webhookFlags, target);
    return { ...target, ...webhooks.part };
  };
  let before: Result | undefined;
  const tell = (result: Result) => {
    for (const line of linesOf(result, before, sections, false)) console.log(line);
    before = result;
  };
  try {
    return await runChecks(sections, await start(), { tell, revive: start });
  } finally {
    await end();
  }
}

function webhooksOf(flags: readonly string[], target: Target): Promise<WebhookSetup> {
  const given = loadSettings(
    { args: flags, env: {} },
    { settings: TARGET_FORM.settings, own: CONFORMANCE_FLAGS },
  );
  if (!given.ok) throw new Error(`the flags ${flags.join(" ")} are not those of the kit`);
  return setUpWebhooks(given, target);
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
