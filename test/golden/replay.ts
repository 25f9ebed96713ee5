/** Plays a transcript against a server: says what its clients say, and notes what they hear. */

import { callApi } from "../support/api.ts";
import type { Earshot } from "../support/earshot.ts";
import { connectRaw, type RawClient, socketIdOf } from "../support/raw-client.ts";
import { type App, type Line, Names, parseCall } from "./transcript.ts";

/** Who calls the HTTP API, with the app's secret and with another one. */
const BACK_END = "back-end";
const INTRUDER = "intruder";

/** An event that no server knows: the error that names it shows that all before it has been answered. */
const SETTLED = "transcript:settled-";
const NOTICE_MS = 50; // ours: what a server needs to notice that a connection is gone

/**
 * The transcript as it went this time. Everything that came from the server since the lines that caused it stands behind
 * them, sorted by client as the clients came; so the order of frames is kept for each client, and between clients it is
 * the transcript's own.
 */
export async function replay(
  earshot: Earshot,
  apps: ReadonlyMap<string, App>,
  lines: readonly Line[],
): Promise<Line[]> {
  return await new Replay(earshot, apps).play(lines);
}

class Replay {
  readonly #earshot: Earshot;
  readonly #apps: ReadonlyMap<string, App>;
  readonly #names: Names;
  readonly #clients = new Map<string, RawClient>();
  /** How many frames of each client stand in the transcript already. */
  readonly #heard = new Map<string, number>();
  #settled = 0;
  readonly #gone = new Set<string>();
  readonly #played: Line[] = [];

  constructor(earshot: Earshot, apps: ReadonlyMap<string, App>) {
    this.#earshot = earshot;
    this.#apps = apps;
    this.#names = new Names(earshot.app);
  }

  async play(lines: readonly Line[]): Promise<Line[]> {
    try {
      for (const line of lines) {
        // Answers are noted when they come, not taken from the transcript.
        if (line.kind === "hears" || line.kind === "closed") continue;
        this.#played.push(line);
        await this.#act(line);
      }
      return this.#played;
    } finally {
      for (const client of this.#clients.values()) client.close();
      await Promise.all([...this.#clients.values()].map((client) => client.closed));
    }
  }

  async #act(line: Line): Promise<void> {
    switch (line.kind) {
      case "let":
        this.#names.texts.set(line.name, line.text);
        return;
      case "app": {
        const app = this.#apps.get(line.name);
        if (app === undefined) throw new Error(`there is no app ${line.name}`);
        this.#names.app = app;
        return;
      }
      case "connects":
        await this.#connect(line.who, this.#names.fill(line.target));
        return await this.#listen();
      case "leaves": {
        const client = this.#client(line.who);
        client.close();
        await client.closed;
        this.#gone.add(line.who);
        await Bun.sleep(NOTICE_MS);
        return await this.#listen();
      }
      case "says": {
        const text = this.#names.fill(line.text);
        if (line.who === BACK_END || line.who === INTRUDER) await this.#call(line.who, text);
        else {
          this.#client(line.who).send(text);
          await this.#settle(this.#client(line.who));
        }
        return await this.#listen();
      }
    }
  }

  async #connect(who: string, target: string): Promise<void> {
    const [path = "", query = ""] = target.split("?");
    const client = await connectRaw(this.#earshot, { path, query });
    this.#clients.set(who, client);
    const [first] = client.frames;
    if (first?.event === "pusher:connection_established") this.#names.sockets.set(who, socketIdOf(first));
  }

  async #call(who: string, text: string): Promise<void> {
    const { method, path, query, body } = parseCall(text);
    const { app } = this.#names;
    const answer = await callApi(this.#earshot, method, `/apps/${app.id}${path}`, {
      query,
      key: app.key,
      secret: who === INTRUDER ? "another-secret" : app.secret,
      timestamp: Number(this.#names.now),
      ...(body === undefined ? {} : { body }),
    });
    const type = answer.headers.get("content-type") ?? "";
    const [first = "", ...more] = answer.text.split("\n");
    for (const said of [`${answer.status} ${type}`, first, ...more]) {
      this.#played.push({ kind: "hears", who, text: this.#names.blank(said) });
    }
  }

  /** Notes what has come to everybody since the last time. */
  async #listen(): Promise<void> {
    const there = [...this.#clients].filter(([who]) => !this.#gone.has(who));
    for (let round = 0; round < 2; round++) {
      await Promise.all(there.map(([, client]) => this.#settle(client)));
    }
    for (const [who, client] of there) {
      const closed = await Promise.race([client.closed, Promise.resolve(undefined)]);
      const frames = this.#framesOf(who, client);
      for (const raw of frames) this.#played.push({ kind: "hears", who, text: this.#names.blank(raw) });
      if (closed === undefined) continue;
      this.#gone.add(who);
      const text = `${closed.code} ${this.#names.blank(closed.reason)}`;
      this.#played.push({ kind: "closed", who, text });
    }
  }

  /** All that the server said until now has come, or the connection is over. */
  async #settle(client: RawClient): Promise<void> {
    this.#settled++;
    const event = `${SETTLED}${this.#settled}`;
    client.send({ event });
    const answer = client.next(({ raw }) => raw.includes(`'${event}'`)).catch(() => undefined);
    await Promise.race([answer, client.closed]);
  }

  /** What is new, without the answers that `#settle` has asked for. */
  #framesOf(who: string, client: RawClient): string[] {
    const fresh = client.frames.slice(this.#heard.get(who) ?? 0).map(({ raw }) => raw);
    this.#heard.set(who, client.frames.length);
    return fresh.filter((raw) => !raw.includes(`'${SETTLED}`));
  }

  #client(who: string): RawClient {
    const client = this.#clients.get(who);
    if (client === undefined) throw new Error(`${who} is not connected`);
    return client;
  }
}
