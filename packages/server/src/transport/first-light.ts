/** The page at `/` of a server on a developer's own machine: events as they arrive, and how to send one. */
import { join } from "node:path";
import { parseChannelName } from "@earshot/protocol/channel";
import { curlCommand, shellQuoted } from "@earshot/protocol/curl";
import { ProtocolError } from "@earshot/protocol/errors";
import type { Digest } from "@earshot/protocol/signature";
import type { App } from "#core/app";
import type { Clock } from "#core/ports";
import { refusal, text } from "./answers.ts";
import { decodeSegment } from "./request-path.ts";
import type { Pages } from "./router.ts";

export interface FirstLightParts {
  /** The app that the page listens to; undefined while there is none. */
  readonly app: () => App | undefined;
  /** Where the server can be reached from its own machine, without a slash at the end. */
  readonly url: () => string;
  readonly digest: Digest;
  readonly clock: Clock;
  /** How the program is called here, such as `npx earshot`. */
  readonly command: string;
  /** Flags that lead `trigger` to this server where it would not find it by itself, such as `--data DIR`. */
  readonly triggerFlags?: readonly string[];
}

/** What the page asks for: how to reach the app, and commands for the channel that it listens to. Never a secret. */
export interface FirstLightState {
  readonly url: string;
  readonly appId: string;
  readonly key: string;
  /** Sends an event with Earshot's own program. */
  readonly trigger: string;
  /** Sends the same event with curl. The signature in it is accepted for ten minutes. */
  readonly curl: string;
}

const FOLDER = join(import.meta.dir, "first-light");
const JAVASCRIPT = "text/javascript; charset=utf-8";
const FILES: ReadonlyMap<string, { readonly file: string; readonly type: string }> = new Map([
  ["/", { file: join(FOLDER, "page.html"), type: "text/html; charset=utf-8" }],
  ["/first-light/page.css", { file: join(FOLDER, "page.css"), type: "text/css; charset=utf-8" }],
  ["/first-light/page.js", { file: join(FOLDER, "page.js"), type: JAVASCRIPT }],
  ["/first-light/icon.svg", { file: join(FOLDER, "icon.svg"), type: "image/svg+xml" }],
  [
    "/first-light/pusher.js",
    { file: Bun.resolveSync("pusher-js/dist/web/pusher.min.js", FOLDER), type: JAVASCRIPT },
  ],
]);

const STATE_PATH = "/first-light/state/";
const EVENT = "greeting";
const DATA = JSON.stringify({ text: "Hello from the terminal" });

export function firstLightPages(parts: FirstLightParts): Pages {
  return (path) => {
    if (path.startsWith(STATE_PATH)) return answerState(parts, path.slice(STATE_PATH.length));
    const found = FILES.get(path);
    if (found === undefined) return undefined;
    return new Response(Bun.file(found.file), { headers: headers(parts.url(), found.type) });
  };
}

function answerState(parts: FirstLightParts, segment: string): Response {
  const app = parts.app();
  const pair = app?.keys.findLast(({ revoked }) => !revoked);
  if (app === undefined || pair === undefined) {
    return text(404, `There is no app with an active key yet: ${parts.command} apps create\n`);
  }
  const channel = decodeSegment(segment) ?? segment;
  const kind = parseChannelName(channel, app.limits.maxChannelNameChars);
  if (kind instanceof ProtocolError) return refusal(kind);
  if (kind.kind !== "public")
    return text(400, "This page has no back-end that could sign: choose a public channel.\n");
  const trigger = { url: parts.url(), appId: app.id, pair, channel, event: EVENT, data: DATA };
  const state: FirstLightState = {
    url: trigger.url,
    appId: app.id,
    key: pair.key,
    trigger: triggerCommand(parts, channel),
    curl: curlCommand(parts.digest, trigger, Math.floor(parts.clock.wallMs() / 1_000)),
  };
  return new Response(JSON.stringify(state), { headers: headers(trigger.url, "application/json") });
}

/** Only what this server itself serves may run or style here: names and data of events are written by strangers. */
function headers(url: string, type: string): Record<string, string> {
  const { port, protocol } = new URL(url);
  const scheme = protocol === "https:" ? "wss" : "ws";
  const policy = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    // Some browsers do not count the WebSockets of a page's own address as 'self'.
    "connect-src": `'self' ${scheme}://localhost:${port} ${scheme}://127.0.0.1:${port}`,
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
  };
  return {
    "Content-Type": type,
    "Content-Security-Policy": Object.entries(policy)
      .map(([directive, sources]) => `${directive} ${sources}`)
      .join("; "),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  };
}

function triggerCommand({ command, triggerFlags = [] }: FirstLightParts, channel: string): string {
  // A name may start with a dash, like a flag.
  const words = [...triggerFlags, ...(channel.startsWith("-") ? ["--"] : []), channel, EVENT, DATA];
  return `${command} trigger ${words.map(shellWord).join(" ")}`;
}

/** Quoted only where a shell would read it as something else. */
function shellWord(word: string): string {
  return /^[\w@,./-]+$/.test(word) ? word : shellQuoted(word);
}
