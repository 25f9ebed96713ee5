/** What is wrong with the text of a setting, as the end of a sentence; undefined where nothing is. */
import ipaddr from "ipaddr.js";

const PREFIX = /^(\/[A-Za-z0-9._~-]+)+$/;
const OWN_PATHS = ["app", "apps"];

export function problemOfPrefix(prefix: string): string | undefined {
  if (!PREFIX.test(prefix)) {
    return `is not a path prefix: begin with a slash, end without one, use letters, digits, ".", "_", "~", "-"`;
  }
  const [, first = "", ...rest] = prefix.split("/");
  if ([first, ...rest].some((segment) => segment === "." || segment === "..")) {
    return `holds a "." or ".." segment, which clients resolve before they ask: write the path without it`;
  }
  return OWN_PATHS.includes(first)
    ? `begins with /${first}, which is a path of the protocol: choose another`
    : undefined;
}

export function problemOfAddress(text: string): string | undefined {
  if (ipaddr.isValid(text) && (text.includes(":") || ipaddr.IPv4.isValidFourPartDecimal(text)))
    return undefined;
  if (ipaddr.isValidCIDR(text)) return undefined;
  return "is not an address: write one such as 10.0.0.7 or 2001:db8::7, or a range such as 10.0.0.0/8";
}

export function problemOfDatabaseUrl(text: string): string | undefined {
  if (text === "") return undefined;
  const url = URL.parse(text);
  if (url !== null && (url.protocol === "postgres:" || url.protocol === "postgresql:")) return undefined;
  return "is not the address of a PostgreSQL database: write postgres://USER:PASSWORD@HOST:PORT/NAME, or leave it empty for SQLite";
}

export function problemOfToken(text: string): string | undefined {
  return /^[\x21-\x7e]*$/.test(text)
    ? undefined
    : "is not a token: use printable ASCII characters without spaces";
}
