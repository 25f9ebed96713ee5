/** A transcript: who said what to the server, and what it said, byte for byte. See README.md for the form. */
import { createHmac } from "node:crypto";

export type Line =
  /** A comment or an empty line. */
  | { readonly kind: "text"; readonly text: string }
  /** A text with a name, for what has to be signed as well as sent. */
  | { readonly kind: "let"; readonly name: string; readonly text: string }
  /** From here on, connections and requests are those of another app. */
  | { readonly kind: "app"; readonly name: string }
  | { readonly kind: "connects"; readonly who: string; readonly target: string }
  | { readonly kind: "leaves"; readonly who: string }
  | { readonly kind: "says"; readonly who: string; readonly text: string }
  | { readonly kind: "hears"; readonly who: string; readonly text: string }
  | { readonly kind: "closed"; readonly who: string; readonly text: string };

export interface App {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** What placeholders stand for. */
export class Names {
  readonly sockets = new Map<string, string>();
  readonly texts = new Map<string, string>();
  readonly now = String(Math.floor(Date.now() / 1_000));
  app: App;

  constructor(app: App) {
    this.app = app;
  }

  /** The text with the value of each placeholder. @throws where one has none */
  fill(text: string): string {
    return text.replaceAll(/\{(\w+(?:[ .][^{}" ]+)*)\}/g, (whole, inside: string) => {
      const [word = "", ...rest] = inside.split(/[ .]/);
      if (word === "auth") return this.#auth(rest);
      if (word === "signin") return this.#signIn(rest);
      const value = this.#value(inside, word, rest);
      if (value === undefined) throw new Error(`nothing is known for ${whole} in ${text}`);
      return value;
    });
  }

  /** The text with placeholders in the place of what differs from run to run. */
  blank(text: string): string {
    let blank = text;
    for (const [who, socketId] of this.sockets) blank = blank.replaceAll(socketId, `{${who}.socket}`);
    return blank.replaceAll(this.now, "{now}").replaceAll(/(?!0{64})\b[0-9a-f]{64}\b/g, "{signature}");
  }

  #value(inside: string, word: string, rest: readonly string[]): string | undefined {
    if (inside === "now") return this.now;
    if (inside === "app.id") return this.app.id;
    if (inside === "app.key") return this.app.key;
    if (rest.length === 1 && rest[0] === "socket") return this.sockets.get(word);
    if (word === "json" && rest.length === 1) {
      const text = this.texts.get(rest[0] ?? "");
      return text === undefined ? undefined : JSON.stringify(text).slice(1, -1);
    }
    return undefined;
  }

  /** `{auth ann private-chat}`, and the name of a text behind it where `channel_data` is signed too. */
  #auth([who = "", ...rest]: readonly string[]): string {
    const data = this.texts.get(rest.at(-1) ?? "");
    // A channel's name may hold dots, which separate words as well.
    const channel = (data === undefined ? rest : rest.slice(0, -1)).join(".");
    return this.#signed(`${this.#socket(who)}:${channel}${data === undefined ? "" : `:${data}`}`);
  }

  /** `{signin ann zoe}`: the signature of the text `zoe` as `user_data`. */
  #signIn([who = "", name = ""]: readonly string[]): string {
    return this.#signed(`${this.#socket(who)}::user::${this.texts.get(name) ?? ""}`);
  }

  #signed(text: string): string {
    return `${this.app.key}:${createHmac("sha256", this.app.secret).update(text).digest("hex")}`;
  }

  #socket(who: string): string {
    const socketId = this.sockets.get(who);
    if (socketId === undefined) throw new Error(`${who} has no socket id yet`);
    return socketId;
  }
}

export function parseTranscript(text: string): Line[] {
  return text.trimEnd().split("\n").map(parseLine);
}

function parseLine(text: string): Line {
  if (text === "" || text.startsWith("#")) return { kind: "text", text };
  const [, name, value] = /^let (\w+) = (.*)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { kind: "let", name, text: value };
  const [, app] = /^app (\w+)$/.exec(text) ?? [];
  if (app !== undefined) return { kind: "app", name: app };
  const [, who = "", verb, rest = ""] = /^([\w-]+) (>|<|connects|leaves|closed)(?: (.*))?$/.exec(text) ?? [];
  switch (verb) {
    case ">":
      return { kind: "says", who, text: rest };
    case "<":
      return { kind: "hears", who, text: rest };
    case "connects":
      return { kind: "connects", who, target: rest };
    case "leaves":
      return { kind: "leaves", who };
    case "closed":
      return { kind: "closed", who, text: rest };
    default:
      throw new Error(`no line of a transcript: ${text}`);
  }
}

export function writeLine(line: Line): string {
  switch (line.kind) {
    case "text":
      return line.text;
    case "let":
      return `let ${line.name} = ${line.text}`;
    case "app":
      return `app ${line.name}`;
    case "connects":
      return `${line.who} connects ${line.target}`;
    case "leaves":
      return `${line.who} leaves`;
    case "says":
      return `${line.who} > ${line.text}`;
    case "hears":
      return `${line.who} < ${line.text}`.trimEnd();
    case "closed":
      return `${line.who} closed ${line.text}`;
  }
}

/** A call of a back-end as it stands in a transcript: `POST /events?a=b {"name":...}`. */
export interface BackEndCall {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export function parseCall(text: string): BackEndCall {
  const [, method = "", target = "", body] = /^(GET|POST) (\S+)(?: (.*))?$/.exec(text) ?? [];
  const [path = "", query = ""] = target.split("?");
  return { method, path, query: Object.fromEntries(new URLSearchParams(query)), body };
}
