import { SETTING_PATHS, type Settings, settingRow } from "../../packages/server/src/config/fields.ts";
import { draft, PAIR } from "../../packages/server/src/core/testing/world.ts";
import type { Log } from "../../packages/server/src/observe/log.ts";
import { type RunningServer, startServer } from "../../packages/server/src/server.ts";
import { FixedApps } from "../support/fixed-apps.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { OTHER_PAIR, signedQuery } from "./core-stage.ts";
import { SHARED } from "./generate.ts";
import { Peer } from "./peer.ts";

/** Channels where nobody but the bystander is. */
export const QUIET = ["bystander", "private-bystander", "presence-bystander"] as const;

/** A real server in this process, with real sockets. */
export class ServerStage {
  readonly server: RunningServer;
  readonly errors: string[] = [];
  readonly port: number;
  bystander: Peer | undefined;
  stranger: Peer | undefined;

  constructor() {
    const features = { clientEvents: true, subscriptionCount: true, watchlist: true };
    const other = draft({ id: "3", keys: [{ ...OTHER_PAIR, createdMs: 1, revoked: false }], features });
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (fields, message) => this.errors.push(`${message} ${JSON.stringify(fields)}`),
      child: () => log,
    };
    this.server = startServer({
      settings: settings(),
      apps: new FixedApps(draft({ features }), other),
      log,
      version: "0",
    });
    this.port = Number(new URL(this.server.url).port);
  }

  async watch(): Promise<void> {
    this.bystander = await Peer.connect(this.port, PAIR);
    this.stranger = await Peer.connect(this.port, OTHER_PAIR);
    for (const channel of QUIET) this.bystander.subscribe(channel);
    for (const channel of SHARED) this.stranger.subscribe(channel);
    await Promise.all([this.bystander.settle(), this.stranger.settle()]);
    this.bystander.frames.length = 0;
    this.stranger.frames.length = 0;
  }

  /** A call of the API, signed as it should be. */
  async call(method: "GET" | "POST", path: string, body = ""): Promise<string> {
    const seconds = Math.floor(Date.now() / 1_000);
    const query = signedQuery(method, `/apps/4711${path}`, "", Buffer.from(body), seconds);
    const url = `${this.server.url}/apps/4711${path}?${query}`;
    const answer = await fetch(url, method === "GET" ? { method } : { method, body });
    return answer.text();
  }
}

function settings(): Settings {
  const defaults = Object.fromEntries(SETTING_PATHS.map((path) => [path, settingRow(path).default]));
  const ours = { "http.host": "127.0.0.1", "http.port": 0, "data.dir": temporaryFolder() };
  return { ...(defaults as Settings), ...ours }; // a row has the type of its setting
}
