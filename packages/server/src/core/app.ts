import { DEFAULT_LIMITS, LIMIT_NAMES, LIMITS, type LimitName, type Limits } from "@earshot/protocol/limits";
import { InvalidApp } from "./invalid-app.ts";
import { checkQuotas, type Quota } from "./quota.ts";
import { checkWebhooks, type WebhookEndpoint } from "./webhook-endpoint.ts";

export { InvalidApp, type Quota, type WebhookEndpoint };

/** One key pair. Back-ends sign with it, clients name the key when they connect. Revoked pairs stay listed. */
export interface AppKey {
  readonly key: string;
  readonly secret: string;
  readonly createdMs: number;
  readonly revoked: boolean;
}

export interface AppFeatures {
  /** Clients may send `client-*` events. */
  readonly clientEvents: boolean;
  /** Subscribers are told how many they are. */
  readonly subscriptionCount: boolean;
  /** Signed-in users are told when the users that they watch come online and go offline. */
  readonly watchlist: boolean;
}

/** A tenant: validated once, never changed in place; the next version of an app is another object. */
export interface App {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** Only TLS connections are accepted; others are closed with 4000. */
  readonly tlsOnly: boolean;
  /** Oldest first. Webhooks are signed with the oldest active one. */
  readonly keys: readonly AppKey[];
  readonly limits: Limits;
  readonly features: AppFeatures;
  /** Origins that browsers may connect from, such as `https://shop.example.com` or `https://*.example.com`; empty allows all. */
  readonly allowedOrigins: readonly string[];
  readonly quotas: readonly Quota[];
  readonly webhooks: readonly WebhookEndpoint[];
  readonly createdMs: number;
}

/** What an app is made from: a store's row, or a person's wish. Everything but id and keys has a default. */
export interface AppDraft {
  readonly id: string;
  readonly name?: string;
  readonly enabled?: boolean;
  readonly tlsOnly?: boolean;
  readonly keys: readonly AppKey[];
  readonly limits?: Readonly<Partial<Record<LimitName, number>>>;
  readonly features?: Readonly<Partial<AppFeatures>>;
  readonly allowedOrigins?: readonly string[];
  readonly quotas?: readonly Quota[];
  readonly webhooks?: readonly WebhookEndpoint[];
  readonly createdMs?: number;
}

export const DEFAULT_FEATURES: AppFeatures = Object.freeze({
  clientEvents: false,
  subscriptionCount: false,
  watchlist: false,
});

const APP_ID = /^[A-Za-z0-9_-]{1,64}$/; // ours: digits on the hosted service; part of a URL path
const APP_KEY = /^[A-Za-z0-9_-]{1,64}$/; // ours: 20 lower-case hex digits on the hosted service; must not hold a colon
const APP_SECRET = /^[\x21-\x39\x3b-\x7e]{1,128}$/; // ours: printable ASCII, no space and no colon (ID:KEY:SECRET)
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[^\s/?#*]+$/i;

/** @throws InvalidApp naming the field, the value, what is allowed. Secrets are not repeated in the text. */
export function makeApp(draft: AppDraft): App {
  checkAppId(draft.id);
  for (const pair of draft.keys) checkKeyPair(pair.key, pair.secret);
  const limits: Record<LimitName, number> = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(draft.limits ?? {}))
    limits[checkLimitName(name)] = checkLimit(name, value);
  const allowedOrigins = (draft.allowedOrigins ?? []).map(checkOrigin);
  return Object.freeze({
    id: draft.id,
    name: checkName(draft.name ?? draft.id),
    enabled: draft.enabled ?? true,
    tlsOnly: draft.tlsOnly ?? false,
    keys: Object.freeze([...draft.keys].sort((a, b) => a.createdMs - b.createdMs)),
    limits: Object.freeze(limits),
    features: Object.freeze({ ...DEFAULT_FEATURES, ...draft.features }),
    allowedOrigins: Object.freeze(allowedOrigins),
    quotas: Object.freeze(checkQuotas(draft.quotas ?? [])),
    webhooks: Object.freeze(checkWebhooks(draft.webhooks ?? [])),
    createdMs: draft.createdMs ?? 0,
  });
}

export function checkAppId(id: string): string {
  if (APP_ID.test(id)) return id;
  throw new InvalidApp(
    `App id ${JSON.stringify(id)} is not valid: use 1 to 64 letters, digits, "_" or "-" (some libraries want digits only).`,
  );
}

const MAX_NAME_CHARS = 200; // ours

function checkName(name: string): string {
  if (name !== "" && name.length <= MAX_NAME_CHARS && !/\p{Cc}/u.test(name)) return name;
  throw new InvalidApp(
    `App name ${JSON.stringify(name.slice(0, MAX_NAME_CHARS))} is not valid: use 1 to ${MAX_NAME_CHARS} characters, none of them control characters.`,
  );
}

export function checkKeyPair(key: string, secret: string): void {
  if (!APP_KEY.test(key)) {
    throw new InvalidApp(
      `App key ${JSON.stringify(key)} is not valid: use 1 to 64 letters, digits, "_" or "-".`,
    );
  }
  if (!APP_SECRET.test(secret)) {
    throw new InvalidApp(
      `The secret of key ${key} is not valid: use 1 to 128 printable ASCII characters without spaces and colons.`,
    );
  }
}

export function checkLimitName(name: string): LimitName {
  const found = LIMIT_NAMES.find((known) => known === name);
  if (found !== undefined) return found;
  throw new InvalidApp(`There is no limit ${JSON.stringify(name)}. Limits are: ${LIMIT_NAMES.join(", ")}.`);
}

export function checkLimit(name: string, value: unknown): number {
  const row = LIMITS[checkLimitName(name)];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= row.min && value <= row.max)
    return value;
  throw new InvalidApp(
    `Limit ${name} = ${String(value)} is not valid: use a whole number of ${row.unit} from ${row.min} to ${row.max}.`,
  );
}

function checkOrigin(origin: string): string {
  if (origin === "*" || ORIGIN.test(origin)) return origin.toLowerCase();
  throw new InvalidApp(
    `Origin ${JSON.stringify(origin)} is not valid: write scheme and host, such as https://shop.example.com, or https://*.example.com for all hosts below.`,
  );
}

/** The pair of an active key, or undefined for a key that is unknown or revoked. */
export function activeKey(app: App, key: string): AppKey | undefined {
  return app.keys.find((pair) => pair.key === key && !pair.revoked);
}

/** Whether a page of this origin may connect. Programs send no Origin header and are let in. */
export function allowsOrigin(app: App, origin: string | undefined): boolean {
  if (origin === undefined || app.allowedOrigins.length === 0) return true;
  const asked = origin.toLowerCase();
  return app.allowedOrigins.some((allowed) => {
    if (allowed === "*" || allowed === asked) return true;
    const star = allowed.indexOf("://*.");
    if (star < 0) return false;
    const scheme = allowed.slice(0, star + 3);
    const suffix = allowed.slice(star + 4);
    return asked.startsWith(scheme) && asked.endsWith(suffix) && asked.length > scheme.length + suffix.length;
  });
}
