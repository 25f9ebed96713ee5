/** Path and query of a request as they came over the wire: the API's signature covers them undecoded. */
export interface RequestPath {
  readonly path: string;
  readonly query: string;
}

export function requestPath(url: string): RequestPath {
  // Without a usable Host header the runtime gives the bare path, in whose query another URL may stand.
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return { path: "/", query: "" };
  const question = url.indexOf("?", start);
  return question < 0
    ? { path: url.slice(start), query: "" }
    : { path: url.slice(start, question), query: url.slice(question + 1) };
}

/** The path without the first of the prefixes that it starts with, at a slash. */
export function withoutPrefix(path: string, prefixes: readonly string[]): string | undefined {
  for (const prefix of prefixes) {
    if (path.startsWith(prefix) && path.charCodeAt(prefix.length) === SLASH) return path.slice(prefix.length);
  }
  return undefined;
}

const SLASH = 47;

/** A path segment, decoded; undefined where its escapes are malformed. */
export function decodeSegment(segment: string): string | undefined {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
