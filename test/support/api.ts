/** Calls of the HTTP API as a back-end makes them, with every part open to be made wrong. */
import { apiStringToSign } from "@earshot/protocol/signature";
import { digest } from "./digest.ts";
import type { Earshot } from "./earshot.ts";

export interface ApiOptions {
  /** Parameters beside those of the signature; given ones win over those, also `auth_*` and `body_md5`. */
  readonly query?: Readonly<Record<string, string>>;
  /** Values that are neither text nor bytes are written as JSON. */
  readonly body?: unknown;
  readonly key?: string;
  readonly secret?: string;
  /** Unix seconds. */
  readonly timestamp?: number;
  /** False leaves all parameters of the signature out. */
  readonly sign?: false;
  /** False leaves values unescaped, as some libraries do. */
  readonly escape?: false;
  /** The path that is signed where it differs from the one that is asked for. */
  readonly signedPath?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  json(): unknown;
}

/** @param path behind `/apps/ID`, such as `/events`; one that holds `/apps/` is taken as it stands */
export async function callApi(
  earshot: Earshot,
  method: string,
  path: string,
  options: ApiOptions = {},
): Promise<ApiAnswer> {
  const fullPath = path.includes("/apps/") ? path : `/apps/${earshot.app.id}${path}`;
  const body = bodyOf(options.body);
  const parameters =
    options.sign === false ? { ...options.query } : signed(earshot, method, fullPath, body, options);
  const write = options.escape === false ? (value: string) => value : encodeURIComponent;
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${write(value)}`);
  const url = `${earshot.url}${fullPath}${query.length === 0 ? "" : `?${query.join("&")}`}`;
  const headers = {
    ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    ...options.headers,
  };
  const tls = { rejectUnauthorized: false };
  const response = await fetch(url, { method, headers, tls, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

/** The address of a signed GET, for who reads the answer as it comes. */
export function signedUrl(
  earshot: Earshot,
  path: string,
  query: Readonly<Record<string, string>> = {},
): string {
  const fullPath = `/apps/${earshot.app.id}${path}`;
  const parameters = new URLSearchParams(signed(earshot, "GET", fullPath, undefined, { query }));
  return `${earshot.url}${fullPath}?${parameters}`;
}

/** Publishes one event and expects that it is accepted. */
export async function publish(
  earshot: Earshot,
  channels: string | readonly string[],
  name: string,
  data: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<ApiAnswer> {
  const body = { name, data, channels: typeof channels === "string" ? [channels] : channels, ...more };
  const answer = await callApi(earshot, "POST", "/events", { body });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer;
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> | undefined {
  if (body === undefined || typeof body === "string") return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
}

function signed(
  earshot: Earshot,
  method: string,
  path: string,
  body: string | Uint8Array | undefined,
  options: ApiOptions,
): Record<string, string> {
  const parameters: Record<string, string> = {
    auth_key: options.key ?? earshot.app.key,
    auth_timestamp: String(options.timestamp ?? Math.floor(Date.now() / 1_000)),
    auth_version: "1.0",
    ...(body === undefined || body.length === 0 ? {} : { body_md5: digest.md5Hex(body) }),
    ...options.query,
  };
  const lowered = Object.entries(parameters).map(([name, value]) => [name.toLowerCase(), value] as const);
  const text = apiStringToSign(method, options.signedPath ?? path, lowered);
  const signature = digest.hmacSha256Hex(options.secret ?? earshot.app.secret, text);
  return { auth_signature: signature, ...parameters };
}
