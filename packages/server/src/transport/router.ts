import { protocolError } from "@earshot/protocol/errors";
import { Query } from "@earshot/protocol/query";
import type { Server } from "bun";
import type { Arrival } from "#core/connections";
import { refusal } from "./answers.ts";
import type { Api } from "./api/api.ts";
import { parseApiPath } from "./api/routes.ts";
import type { ClientAddress } from "./client-address.ts";
import { healthz, type Readiness, readyz } from "./health.ts";
import type { HttpFallback } from "./http-fallback/http-fallback.ts";
import { readSessionPath, type SessionPath } from "./http-fallback/session-path.ts";
import type { Metrics } from "./metrics.ts";
import { decodeSegment, requestPath, withoutPrefix } from "./request-path.ts";
import type { SocketData } from "./websocket.ts";

/** Pages that a mode of the server adds, such as the first-light page of `npm start`. */
export type Pages = (path: string) => Response | Promise<Response> | undefined;

export interface RouterParts {
  readonly api: Api;
  readonly fallback: HttpFallback;
  readonly metrics: Metrics;
  readonly metricsToken: string;
  readonly readiness: Readiness;
  readonly clientAddress: ClientAddress;
  /** Path prefixes that are served beside the bare paths. */
  readonly prefixes: readonly string[];
  readonly pages: Pages | undefined;
}

/** Who answers a request. Undefined means that the connection has become a WebSocket. */
export function route(
  parts: RouterParts,
  request: Request,
  server: Server<SocketData>,
  listenerIsTls: boolean,
): Response | Promise<Response> | undefined {
  const { path, query } = requestPath(request.url);
  const bare = isOwn(path) ? path : (withoutPrefix(path, parts.prefixes) ?? path);
  const apiPath = parseApiPath(bare);
  if (apiPath !== undefined) {
    const pathWithoutPrefix = bare === path ? undefined : bare;
    const keepOpen = () => server.timeout(request, 0);
    return parts.api.answer({ ...apiPath, request, path, rawQuery: query, pathWithoutPrefix, keepOpen });
  }
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    const key = /^\/app\/[^/]+$/.test(bare) ? decodeSegment(bare.slice(5)) : undefined;
    const data = arrivalOf(parts, request, server, listenerIsTls, key, new Query(query));
    if (server.upgrade(request, { data })) return undefined;
  }
  const session = readSessionPath(withoutPrefix(bare, FALLBACK_PREFIXES) ?? bare);
  if (session !== undefined)
    return fallback(parts, request, server, listenerIsTls, session, new Query(query));
  if (path === "/healthz") return healthz();
  if (path === "/readyz") return readyz(parts.readiness);
  if (path === "/metrics") return parts.metrics.answerBearer(request, parts.metricsToken);
  return parts.pages?.(path) ?? refusal(protocolError("apiPathUnknown", { path }));
}

function isOwn(path: string): boolean {
  return path.startsWith("/apps/") || path.startsWith("/app/");
}

const FALLBACK_PREFIXES = ["/pusher"]; // the default httpPath of pusher-js

const IDLE_SECONDS = 10; // the runtime's own default, to which a connection returns after a long answer

function fallback(
  parts: RouterParts,
  request: Request,
  server: Server<SocketData>,
  listenerIsTls: boolean,
  path: SessionPath,
  query: Query,
): Response | Promise<Response> {
  const key = decodeSegment(path.key);
  const patience = {
    endless: () => server.timeout(request, 0),
    usual: () => server.timeout(request, IDLE_SECONDS),
  };
  const who = arrivalOf(parts, request, server, listenerIsTls, key, query);
  return parts.fallback.answer({ request, path, query, patience, ...who });
}

/** Who comes, and to which app. A refusal is made inside what was opened, where browsers can read it. */
function arrivalOf(
  parts: RouterParts,
  request: Request,
  server: Server<SocketData>,
  listenerIsTls: boolean,
  key: string | undefined,
  query: Query,
): { readonly arrival: Arrival; readonly address: string } {
  const { headers } = request;
  const peer = server.requestIP(request)?.address ?? "";
  const arrival = {
    key,
    protocol: query.get("protocol"),
    origin: headers.get("origin") ?? undefined,
    isTls: parts.clientAddress.isTls(peer, listenerIsTls, headers.get("x-forwarded-proto")),
  };
  return { arrival, address: parts.clientAddress.of(peer, headers.get("x-forwarded-for")) };
}
