/**
 * What the official back-end libraries put on the wire, written from their sources: how each spells the query, which text
 * it signs, which headers it adds. They disagree in ways that a server must know.
 */
import { createHash, createHmac } from "node:crypto";
import type { RawRequest } from "./raw-http.ts";

interface Call {
  readonly app: { readonly id: string; readonly key: string; readonly secret: string };
  readonly method: "GET" | "POST";
  /** Behind `/apps/ID`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Where the server is mounted, such as `/realtime`. */
  readonly prefix?: string;
}

type Pairs = readonly (readonly [name: string, value: string])[];

const JSON_TYPE = { "Content-Type": "application/json" };

/** Values stand in the URL unescaped, and `body_md5` is sent with every request, also for the body that a GET has not. */
export function pythonRequest(call: Call, path = `/apps/${call.app.id}${call.path}`): RawRequest {
  const query = sorted({ ...call.query, body_md5: md5(call.body ?? ""), ...authOf(call) });
  const target = `${path}?${plain([...query, ["auth_signature", sign(call, path, query)]])}`;
  const headers = { "X-Pusher-Library": "pusher-http-python 3.3.4", "Accept-Encoding": "gzip, deflate" };
  return withBody(call, target, call.method === "POST" ? { ...headers, ...JSON_TYPE } : headers);
}

/** python's call that ends a user's connections: it leaves /apps/ID out, and signs the path that it sends. */
export function pythonTerminate(app: Call["app"], userId: string, prefix = ""): RawRequest {
  const path = `/users/${userId}/terminate_connections`;
  return pythonRequest({ app, method: "POST", path, body: "{}" }, prefix + path);
}

/** Signs the path without the prefix that it requests; escapes values in the URL and signs them unescaped. */
function phpRequest(call: Call): RawRequest {
  const path = `/apps/${call.app.id}${call.path}`;
  const query = sorted({ ...call.query, ...md5Of(call), ...authOf(call) });
  const signed: Pairs = [...query, ["auth_signature", sign(call, path, query)]];
  const headers = { ...JSON_TYPE, "X-Pusher-Library": "pusher-http-php 7.2.4" };
  return withBody(call, `${call.prefix ?? ""}${path}?${escaped(signed)}`, headers);
}

/** Values stand in the URL and in the signed text unescaped. */
function nodeRequest(call: Call): RawRequest {
  const path = `${call.prefix ?? ""}/apps/${call.app.id}${call.path}`;
  const query = sorted({ ...call.query, ...md5Of(call), ...authOf(call) });
  const target = `${path}?${plain([...query, ["auth_signature", sign(call, path, query)]])}`;
  const headers = { "X-Pusher-Library": "pusher-http-node 5.3.4" };
  return withBody(call, target, call.body === undefined ? headers : { ...headers, ...JSON_TYPE });
}

/** Escapes the query as a form, unescapes the whole of it, and both signs and sends that; sorts the signature in. */
function goRequest(call: Call): RawRequest {
  const path = `${call.prefix ?? ""}/apps/${call.app.id}${call.path}`;
  const query = sorted({ ...call.query, ...md5Of(call), ...authOf(call) });
  const all = sorted({ ...Object.fromEntries(query), auth_signature: sign(call, path, query) });
  const headers = {
    ...JSON_TYPE,
    "X-Pusher-Library": "pusher-http-go 5.1.1",
    "User-Agent": "Go-http-client/1.1",
  };
  return withBody(call, `${path}?${plain(all)}`, headers);
}

/** Escapes values in the URL as a form does (a space is a plus), signs them unescaped; a GET has a content type too. */
function rubyRequest(call: Call): RawRequest {
  const path = `${call.prefix ?? ""}/apps/${call.app.id}${call.path}`;
  const query = sorted({ ...call.query, ...md5Of(call), ...authOf(call) });
  const signed: Pairs = [...query, ["auth_signature", sign(call, path, query)]];
  const headers = { ...JSON_TYPE, "X-Pusher-Library": "pusher-http-ruby 2.0.3" };
  return withBody(call, `${path}?${escaped(signed).replaceAll("%20", "+")}`, headers);
}

export const LIBRARY_REQUESTS = {
  python: pythonRequest,
  php: phpRequest,
  node: nodeRequest,
  go: goRequest,
  ruby: rubyRequest,
} as const;

/** JSON as python writes it: ASCII only, a space after each comma and colon. */
export function pythonJson(value: unknown): string {
  const spaced = (part: unknown): string => {
    if (Array.isArray(part)) return `[${part.map(spaced).join(", ")}]`;
    if (typeof part !== "object" || part === null) return JSON.stringify(part);
    return `{${Object.entries(part)
      .map(([name, field]) => `${JSON.stringify(name)}: ${spaced(field)}`)
      .join(", ")}}`;
  };
  return spaced(value).replace(
    /[^\0-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function sign({ app, method }: Pick<Call, "app" | "method">, path: string, query: Pairs): string {
  return createHmac("sha256", app.secret)
    .update(`${method}\n${path}\n${plain(query)}`)
    .digest("hex");
}

function authOf({ app }: Call): Record<string, string> {
  return { auth_key: app.key, auth_timestamp: String(Math.floor(Date.now() / 1_000)), auth_version: "1.0" };
}

/** Only where there is a body. */
function md5Of({ body }: Call): Record<string, string> {
  return body === undefined ? {} : { body_md5: md5(body) };
}

export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

export function sorted(query: Readonly<Record<string, string>>): Pairs {
  return Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1));
}

function plain(query: Pairs): string {
  return query.map(([name, value]) => `${name}=${value}`).join("&");
}

function escaped(query: Pairs): string {
  return query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
}

function withBody({ method, body }: Call, target: string, headers: Record<string, string>): RawRequest {
  return body === undefined ? { method, target, headers } : { method, target, headers, body };
}
