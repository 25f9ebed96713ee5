import { protocolError } from "@earshot/protocol/errors";
import { Query } from "@earshot/protocol/query";
import type { Server } from "bun";
import type { Arrival } from "#core/connections";
import { refusal } from "./answers.ts";
import type { Api } from "./api/api.ts";
import type { ClientAddress } from "./client-address.ts";
import { healthz, type Readiness, readyz } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { decodeSegment, requestPath, withoutPrefix } from "./request-path.ts";
import type { SocketData } from "./websocket.ts";

/** Pages that a mode of the server adds, such as the first-light page of `npm start`. */
export type Pages = (path: string) => Response | Promise<Response> | undefined;

export interface RouterParts {
  readonly api: Api;
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
  if (bare.startsWith("/apps/")) {
    const pathWithoutPrefix = bare === path ? undefined : bare;
    const keepOpen = () => server.timeout(request, 0);
    return parts.api.answer({ request, path, rawQuery: query, pathWithoutPrefix, keepOpen });
  }
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    const address = server.requestIP(request)?.address ?? "";
    const data = {
      arrival: arrivalOf(parts, request, bare, new Query(query), address, listenerIsTls),
      address: parts.clientAddress.of(address, request.headers.get("x-forwarded-for")),
    };
    if (server.upgrade(request, { data })) return undefined;
  }
  if (path === "/healthz") return healthz();
  if (path === "/readyz") return readyz(parts.readiness);
  if (path === "/metrics") return parts.metrics.answerBearer(request, parts.metricsToken);
  return parts.pages?.(path) ?? refusal(protocolError("apiPathUnknown", { path }));
}

function isOwn(path: string): boolean {
  return path.startsWith("/apps/") || path.startsWith("/app/");
}

/** A refusal is made inside the opened WebSocket, where browsers can read it, so every path is upgraded. */
function arrivalOf(
  parts: RouterParts,
  request: Request,
  path: string,
  query: Query,
  peer: string,
  listenerIsTls: boolean,
): Arrival {
  const { headers } = request;
  return {
    key: /^\/app\/[^/]+$/.test(path) ? decodeSegment(path.slice(5)) : undefined,
    protocol: query.get("protocol"),
    origin: headers.get("origin") ?? undefined,
    isTls: parts.clientAddress.isTls(peer, listenerIsTls, headers.get("x-forwarded-proto")),
  };
}
