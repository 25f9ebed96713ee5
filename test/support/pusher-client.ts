/** The unmodified pusher-js (its build for Node), pointed at a test server. */
import Pusher, { type Options } from "pusher-js";
import type { Earshot } from "./earshot.ts";
import { until } from "./until.ts";

const clients = new Set<Pusher>();

/** @param at the server, or a relay before it */
export function makePusher(
  earshot: Earshot,
  options: Partial<Options> = {},
  at: { readonly host: string; readonly port: number } = earshot,
): Pusher {
  const client = new Pusher(earshot.app.key, {
    cluster: "",
    wsHost: at.host,
    wsPort: at.port,
    forceTLS: false,
    enabledTransports: ["ws"],
    ...options,
  });
  clients.add(client);
  return client;
}

/** To be called after each test. */
export function disconnectPushers(): void {
  for (const client of clients) client.disconnect();
  clients.clear();
}

interface Bindable {
  bind(event: string, callback: (data: unknown) => void): unknown;
}

/** What a connection or channel is told under an event's name, from now on. */
export function heard(of: Bindable, event: string): unknown[] {
  const found: unknown[] = [];
  of.bind(event, (data) => found.push(data));
  return found;
}

const PATIENCE_MS = 30_000; // pusher-js waits 15 s where it found the port closed, as it does on a busy machine

/** The first time that a connection or channel is told something under this name. */
export async function once(of: Bindable, event: string): Promise<unknown> {
  const found = heard(of, event);
  await until(`the client hears ${event}`, () => found.length > 0, PATIENCE_MS);
  return found[0];
}

export async function connected(client: Pusher): Promise<void> {
  await until("the client is connected", () => client.connection.state === "connected");
}
