/**
 * Signed requests of the HTTP API in the forms of the official libraries: how each spells the query, which text it signs,
 * which headers it adds. They disagree in ways that a server must know.
 */

import { hmac, md5 } from "./hash.ts";
import type { Request } from "./http.ts";
import type { AppUnderTest } from "./target.ts";

export interface Call {
  readonly app: AppUnderTest;
  readonly method: "GET" | "POST";
  /** Behind `/apps/ID`; one that starts with `/users/` as a whole is taken as it stands where `isBare`. */
  readonly path: string;
  readonly isBare?: boolean;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Where the server is mounted, such as `/realtime`. */
  readonly prefix?: string;
  /** Unix seconds. */
  readonly timestamp?: number;
}

export type Library = "python" | "php" | "node" | "go" | "ruby";

type Pairs = readonly (readonly [name: string, value: string])[];

interface Dialect {
  readonly library: string;
  /** How a value stands in the URL. */
  readonly write: (value: string) => string;
  /** The prefix is part of the signed path. */
  readonly signsPrefix: boolean;
  /** `body_md5` also where there is no body. */
  readonly alwaysHashes: boolean;
  /** A content type also where there is no body. */
  readonly alwaysTypes: boolean;
}

const plain = (value: string) => value;
const escaped = (value: string) => encodeURIComponent(value);
const formEscaped = (value: string) => encodeURIComponent(value).replaceAll("%20", "+");

const DIALECTS: Readonly<Record<Library, Dialect>> = {
  python: {
    library: "pusher-http-python 3.3.4",
    write: plain,
    signsPrefix: true,
    alwaysHashes: true,
    alwaysTypes: false,
  },
  php: {
    library: "pusher-http-php 7.2.4",
    write: escaped,
    signsPrefix: false,
    alwaysHashes: false,
    alwaysTypes: true,
  },
  node: {
    library: "pusher-http-node 5.3.4",
    write: plain,
    signsPrefix: true,
    alwaysHashes: false,
    alwaysTypes: false,
  },
  go: {
    library: "pusher-http-go 5.1.1",
    write: plain,
    signsPrefix: true,
    alwaysHashes: false,
    alwaysTypes: true,
  },
  ruby: {
    library: "pusher-http-ruby 2.0.3",
    write: formEscaped,
    signsPrefix: true,
    alwaysHashes: false,
    alwaysTypes: true,
  },
};

export const LIBRARIES = ["python", "php", "node", "go", "ruby"] as const satisfies readonly Library[];

export function libraryRequest(library: Library, call: Call): Request {
  const dialect = DIALECTS[library];
  const own = call.isBare === true ? call.path : `/apps/${call.app.id}${call.path}`;
  const requested = `${call.prefix ?? ""}${own}`;
  const hashes = dialect.alwaysHashes || (call.body !== undefined && call.body !== "");
  const query = sorted({
    ...call.query,
    ...(hashes ? { body_md5: md5(call.body ?? "") } : {}),
    auth_key: call.app.key,
    auth_timestamp: String(call.timestamp ?? Math.floor(Date.now() / 1_000)),
    auth_version: "1.0",
  });
  const text = `${call.method}\n${dialect.signsPrefix ? requested : own}\n${joined(query, plain)}`;
  const signed: Pairs = [...query, ["auth_signature", hmac(call.app.secret, text)]];
  const typed = dialect.alwaysTypes || call.body !== undefined;
  return {
    method: call.method,
    path: `${requested}?${joined(signed, dialect.write)}`,
    headers: {
      ...(typed ? { "Content-Type": "application/json" } : {}),
      "X-Pusher-Library": dialect.library,
    },
    ...(call.body === undefined ? {} : { body: call.body }),
  };
}

function sorted(query: Readonly<Record<string, string>>): Pairs {
  return Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1));
}

function joined(query: Pairs, write: (value: string) => string): string {
  return query.map(([name, value]) => `${name}=${write(value)}`).join("&");
}
