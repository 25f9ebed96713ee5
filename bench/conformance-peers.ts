/** The servers that the conformance kit is run against, each started in the ways that its checks need. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppUnderTest } from "../packages/server/src/cli/conformance/target.ts";
import { APP, type Contender } from "./contenders/contender.ts";
import { earshot } from "./contenders/earshot.ts";
import { soketi } from "./contenders/soketi.ts";
import { freePort } from "./free-port.ts";
import { ServerProcess } from "./server-process.ts";

const PREFIX = "/realtime";
const SETTLE_MS = 1_000; // ours: a server takes up what was changed in its apps

/** A running server, and the flags of `earshot conformance` that say how it sends webhooks to the kit. */
interface Started {
  readonly server: ServerProcess;
  readonly webhookFlags: readonly string[];
}

/** Starts a server in the way that some of the checks need. */
export interface Pass {
  readonly start: () => Promise<Started>;
  /** All checks where left out. */
  readonly only?: readonly string[];
  readonly app?: AppUnderTest;
  readonly prefix?: string;
  /** Waits for the server's time-outs too. */
  readonly isSlow?: true;
}

export interface Peer {
  readonly name: string;
  readonly contender: Contender;
  /** The first runs everything; what a later one shows stands instead. */
  readonly passes: readonly Pass[];
}

const NO_CLIENT_EVENTS: AppUnderTest = { id: "4712", key: "quiet-key", secret: "quiet-secret" };
const TLS_ONLY: AppUnderTest = { id: "4713", key: "tls-key", secret: "tls-secret" };
const SECOND: AppUnderTest = { id: "4714", key: "second-key", secret: "second-secret" };

export const PEERS: readonly Peer[] = [
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
      { start: startSoketiWithWebhooks, only: ["K"] },
    ],
  },
];

/** With everything switched on that a check needs. */
async function startEarshot(): Promise<Started> {
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
  return { server, webhookFlags: ["--data", folder] };
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
async function startSoketi(
  more: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Started> {
  const server = await ServerProcess.start({
    ...soketi,
    command: (port, dataDir) => [...soketi.command(port, dataDir), ...args],
    env: (port) => ({
      ...soketi.env(port),
      SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES: "true",
      SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC: "10",
      SOKETI_DEFAULT_APP_USER_AUTHENTICATION: "true",
      SOKETI_EVENT_MAX_SIZE_IN_KB: "10", // the documented limit of the protocol
      ...more,
    }),
  });
  return { server, webhookFlags: ["--url", `http://127.0.0.1:${server.target.port}`] };
}

/** Two apps, both with an endpoint for everything and one with a filter, in batches, as its documentation describes them. */
async function startSoketiWithWebhooks(): Promise<Started> {
  const receiver = `127.0.0.1:${freePort()}`;
  const event_types = [
    "client_event",
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
  ];
  const webhooks = [
    { url: `http://${receiver}/`, event_types },
    {
      url: `http://${receiver}/?events=channel_occupied&prefix=private-`,
      event_types: ["channel_occupied"],
      filter: { channel_name_starts_with: "private-" },
    },
  ];
  const folder = mkdtempSync(join(tmpdir(), "earshot-bench-soketi-apps-"));
  const file = join(folder, "soketi.json");
  const apps = [APP, SECOND].map((app) => ({ ...app, enabled: true, enableClientMessages: true, webhooks }));
  writeFileSync(file, JSON.stringify({ "appManager.array.apps": apps }));
  try {
    const started = await startSoketi({ SOKETI_WEBHOOKS_BATCHING: "true" }, [`--config=${file}`]);
    const second = `${SECOND.id}:${SECOND.key}:${SECOND.secret}`;
    return { ...started, webhookFlags: ["--webhook-listen", receiver, "--second-app", second] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
