import { WEBHOOK_NAMES, type WebhookName } from "@earshot/protocol/webhook";
import { InvalidApp } from "./invalid-app.ts";

/** Where an app's webhooks go. */
export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  /** The kinds of events that it wants, at least one. */
  readonly events: readonly WebhookName[];
  /** Only channels whose name starts and ends so; empty for all. */
  readonly prefix: string;
  readonly suffix: string;
  /** Several events in one request. */
  readonly batch: boolean;
  /** Sent with each request beside our own. */
  readonly headers: Readonly<Record<string, string>>;
  /** A disabled endpoint is paused: what it misses waits, within bounds. */
  readonly enabled: boolean;
  readonly createdMs: number;
}

const MAX_ENDPOINTS = 50; // ours: each reads the events of its app for itself
const MAX_URL_CHARS = 2_000; // ours: servers and proxies take no less
const MAX_AFFIX_CHARS = 200; // ours: no channel name is longer
const MAX_HEADERS = 20; // ours
const MAX_HEADER_CHARS = 4_000; // ours: all headers of a request must fit into the 8 KB that servers commonly read
const ENDPOINT_ID = /^[A-Za-z0-9_-]{1,64}$/; // ours: part of a URL path, a metric's label
const AFFIX = /^[-A-Za-z0-9_=@,.;]*$/; // the characters of channel names
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/; // RFC 9110, 5.6.2
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/; // RFC 9110, 5.5, without what is obsolete

/** Ours, and those that belong to one connection (RFC 9110, 7.6.1). */
const TAKEN_HEADER =
  /^(?:content-(?:type|length|encoding)|host|connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|expect|user-agent|x-pusher-.*|x-earshot-.*)$/i;

/**
 * Oldest first.
 *
 * @throws InvalidApp naming the field, the value, what is allowed. Values of headers are not repeated in the text.
 */
export function checkWebhooks(endpoints: readonly WebhookEndpoint[]): readonly WebhookEndpoint[] {
  if (endpoints.length > MAX_ENDPOINTS) {
    throw new InvalidApp(
      `${endpoints.length} webhook endpoints are too many: an app may have ${MAX_ENDPOINTS}. Remove one first, or let one receiver hand on what it gets.`,
    );
  }
  const ids = new Set<string>();
  for (const { id } of endpoints) {
    if (ids.has(id)) {
      throw new InvalidApp(
        `Webhook endpoint id ${JSON.stringify(id)} is there twice: give each endpoint of an app its own.`,
      );
    }
    ids.add(id);
  }
  return endpoints
    .map(checkEndpoint)
    .sort((a, b) => a.createdMs - b.createdMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function checkEndpoint(endpoint: WebhookEndpoint): WebhookEndpoint {
  return Object.freeze({
    id: checkId(endpoint.id),
    url: checkUrl(endpoint.url),
    events: Object.freeze(checkEvents(endpoint.events)),
    prefix: checkAffix("prefix", endpoint.prefix),
    suffix: checkAffix("suffix", endpoint.suffix),
    batch: endpoint.batch,
    headers: Object.freeze(checkHeaders(endpoint.headers)),
    enabled: endpoint.enabled,
    createdMs: endpoint.createdMs,
  });
}

function checkId(id: string): string {
  if (ENDPOINT_ID.test(id)) return id;
  throw new InvalidApp(
    `Webhook endpoint id ${JSON.stringify(id)} is not valid: use 1 to 64 letters, digits, "_" or "-".`,
  );
}

function checkUrl(text: string): string {
  if (text.length > MAX_URL_CHARS) {
    throw new InvalidApp(
      `The webhook URL is ${text.length} characters long: use at most ${MAX_URL_CHARS}; what else the receiver must know can go into a header.`,
    );
  }
  const url = /^https?:\/\/[^\s\p{Cc}]+$/iu.test(text) ? URL.parse(text) : null;
  if (url === null) {
    throw new InvalidApp(
      `Webhook URL ${JSON.stringify(withoutCredentials(text))} is not valid: write an absolute address with http or https, such as https://shop.example.com/webhooks.`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new InvalidApp(
      `The webhook URL for ${url.host} holds a user name or a password: leave them out, and give them as a header, such as "Authorization: Basic ...".`,
    );
  }
  if (text.includes("#")) {
    throw new InvalidApp(
      `Webhook URL ${JSON.stringify(text)} has a fragment, which is never sent: leave out what begins with "#".`,
    );
  }
  return text;
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//...@");
}

function checkEvents(events: readonly WebhookName[]): WebhookName[] {
  const known = `Events are: ${WEBHOOK_NAMES.join(", ")}.`;
  if (events.length === 0)
    throw new InvalidApp(`A webhook endpoint without events would get nothing: name at least one. ${known}`);
  for (const [at, name] of events.entries()) {
    if (!WEBHOOK_NAMES.includes(name))
      throw new InvalidApp(`There is no webhook event ${JSON.stringify(name)}. ${known}`);
    if (events.indexOf(name) !== at)
      throw new InvalidApp(`Webhook event ${name} is named twice: name it once.`);
  }
  return WEBHOOK_NAMES.filter((name) => events.includes(name));
}

function checkAffix(which: "prefix" | "suffix", text: string): string {
  if (text.length <= MAX_AFFIX_CHARS && AFFIX.test(text)) return text;
  throw new InvalidApp(
    `Webhook ${which} ${JSON.stringify(text.slice(0, MAX_AFFIX_CHARS))} is not valid: use at most ${MAX_AFFIX_CHARS} letters, digits and _ - = @ , . ; without a star, as channel names have them.`,
  );
}

function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const given = Object.entries(headers);
  if (given.length > MAX_HEADERS) {
    throw new InvalidApp(
      `${given.length} webhook headers are too many: an endpoint may have ${MAX_HEADERS}. Leave some out.`,
    );
  }
  const chars = given.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (chars > MAX_HEADER_CHARS) {
    throw new InvalidApp(
      `The webhook headers have ${chars} characters together: use at most ${MAX_HEADER_CHARS}.`,
    );
  }
  const names = new Set<string>();
  for (const [name, value] of given) {
    checkHeader(name, value);
    if (names.has(name.toLowerCase()))
      throw new InvalidApp(`Webhook header ${name} is there twice: give it once, in one spelling.`);
    names.add(name.toLowerCase());
  }
  return Object.fromEntries(given);
}

function checkHeader(name: string, value: string): void {
  if (!HEADER_NAME.test(name)) {
    throw new InvalidApp(
      `Webhook header name ${JSON.stringify(name.slice(0, 100))} is not valid: use 1 to 100 letters, digits and "-".`,
    );
  }
  if (TAKEN_HEADER.test(name)) {
    throw new InvalidApp(
      `Webhook header ${name} cannot be set: it is one of those that each request carries or needs for itself (Content-*, Host, Connection, X-Pusher-*, X-Earshot-* and the like). Use another name.`,
    );
  }
  if (!HEADER_VALUE.test(value)) {
    throw new InvalidApp(
      `The value of webhook header ${name} is not valid: use printable ASCII characters, with a space neither first nor last.`,
    );
  }
}
