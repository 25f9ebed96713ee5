/** What a restart announces: nothing of those who come back, everything of those who do not, and nothing too soon. */
import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { signedUrl } from "../support/api.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { FallbackClient } from "../support/fallback-client.ts";
import { announced, announcements, arrive, everythingIsAnnounced, logOf } from "../support/occupancy.ts";
import { runProgram } from "../support/program.ts";
import { decidedMs } from "../support/server-log.ts";
import { TWENTIETH, twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";
import { addWebhook } from "../support/webhook-endpoint.ts";

const CHANNELS = ["news", "presence-room"];
const COMINGS = ["channel_occupied news", "channel_occupied presence-room", "member_added presence-room u-7"];
const GOINGS = ["member_removed presence-room u-7", "channel_vacated presence-room", "channel_vacated news"];
const SETTLE_MS = TWENTIETH["occupancy-settle-ms"];
const PROMISED_MS = SETTLE_MS + 2_000; // of listening

let earshot: Earshot | undefined;

afterEach(() => earshot?.kill());

async function start(others: Readonly<Record<string, string | number>> = {}): Promise<Earshot> {
  earshot = await startEarshot({ args: twentieth(others) });
  return earshot;
}

function listeningMs({ dataDir }: Earshot): number {
  return statSync(join(dataDir, "earshot.url")).mtimeMs;
}

describe.each(["stop", "kill"] as const)("after a %s", (how) => {
  test("to which all clients return nothing is announced", async () => {
    const server = await start();
    await arrive(server, CHANNELS);
    await announced(server, ...COMINGS);
    await server[how]();
    await server.restart();
    await arrive(server, CHANNELS);
    await everythingIsAnnounced(server);
    expect(announcements(server)).toEqual(COMINGS);
  });

  test("who does not return is announced gone, members first, once the server has settled", async () => {
    const server = await start();
    await arrive(server, CHANNELS);
    await announced(server, ...COMINGS);
    await server[how]();
    await server.restart();
    const sinceMs = listeningMs(server);
    await until("all have gone", () => announcements(server).length === COMINGS.length + GOINGS.length);
    expect(announcements(server).slice(COMINGS.length).sort()).toEqual([...GOINGS].sort());
    const places = ["member_removed presence-room u-7", "channel_vacated presence-room"];
    const [removed = 0, vacated = 0] = places.map((event) => announcements(server).indexOf(event));
    expect(removed).toBeLessThan(vacated);
    for (const event of logOf(server).slice(COMINGS.length)) {
      expect(decidedMs(event)).toBeGreaterThan(sinceMs + SETTLE_MS - 50);
      expect(decidedMs(event)).toBeLessThan(sinceMs + PROMISED_MS);
    }
  });

  test("who comes for the first time is announced at once, before the server has settled", async () => {
    const server = await start({ "occupancy-settle-ms": 3_600_000 });
    await server[how]();
    await server.restart();
    await arrive(server, ["news"]);
    await announced(server, "channel_occupied news");
  });
});

test("a planned stop that takes its time announces nobody gone while it lasts", async () => {
  const server = await start({ "shutdown-grace-seconds": 1 });
  const client = await arrive(server, CHANNELS);
  await announced(server, ...COMINGS);
  // A server with a fallback session waits for answers under way, and a tap's never ends.
  await (await new FallbackClient(server).stream()).inbox.next("pusher:connection_established");
  const tap = await fetch(signedUrl(server, "/tap"));
  const ended = tap.text().catch(() => "");
  const startMs = Date.now();
  const stopped = server.stop();
  await client.closed;
  await Promise.all([stopped, ended]);
  expect(Date.now() - startMs).toBeGreaterThan(3 * TWENTIETH["occupancy-vacated-delay-ms"]);
  expect(announcements(server)).toEqual(COMINGS);
  await server.restart();
  await arrive(server, CHANNELS);
  await everythingIsAnnounced(server);
  expect(announcements(server)).toEqual(COMINGS);
});

test("a planned stop is told from a crash: what settles longer after it is the planned one", async () => {
  const server = await start({ "occupancy-planned-settle-ms": 2_000 });
  await arrive(server, ["news"]);
  await announced(server, "channel_occupied news");
  await server.stop();
  await server.restart();
  await announced(server, "channel_occupied news", "channel_vacated news");
  expect(decidedMs(logOf(server)[1] ?? neverTold)).toBeGreaterThan(listeningMs(server) + 2_000 - 50);

  await arrive(server, ["sport"]);
  await until("it is announced", () => announcements(server).includes("channel_occupied sport"));
  await server.kill();
  await server.restart();
  await until("it is announced", () => announcements(server).includes("channel_vacated sport"));
  const last = logOf(server).at(-1) ?? neverTold;
  expect(decidedMs(last)).toBeLessThan(listeningMs(server) + 1_900);
});

test("what an app has left that is deleted while no server runs is forgotten by the next one", async () => {
  const server = await start();
  const made = await runProgram(["apps", "create", "--name", "doomed", "--data", server.dataDir, "--json"]);
  const { id, keys }: { id: string; keys: [{ key: string; secret: string }] } = JSON.parse(made);
  const endpoint = { events: ["channel_occupied"] as const, appId: id };
  await addWebhook(server, "http://127.0.0.1:1/", endpoint);
  await server.updateApp("--enabled", "true");
  await arrive({ ...server, app: { id, ...keys[0] } }, CHANNELS);
  await arrive(server, ["news"]);
  await announced(server, "channel_occupied news");
  const left = () => leftOf(server.dataDir, id);
  await until("both files know the app", () => left().every((rows) => rows > 0));
  await server.kill();
  await runProgram(["apps", "delete", id, "--data", server.dataDir]);
  await server.restart();
  await until("nothing of it is left", () => left().every((rows) => rows === 0), 20_000);
  await announced(server, "channel_occupied news", "channel_vacated news");
});

/** Rows of an app: states, entries, endpoints that are not gone. */
function leftOf(dataDir: string, appId: string): number[] {
  const count = (file: string, table: string, which = "") => {
    const database = new Database(join(dataDir, file), { readonly: true });
    const query = database.query<{ count: number }, [string]>(
      `SELECT count(*) AS count FROM ${table} WHERE app_id = ? ${which}`,
    );
    const found = query.get(appId)?.count ?? 0;
    database.close();
    return found;
  };
  return [
    count("outbox.db", "announced"),
    count("outbox.db", "entries"),
    count("deliveries.db", "endpoints", "AND state <> 'gone'"),
  ];
}

const neverTold = { version: 0 };
