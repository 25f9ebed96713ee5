import { decodeSegment } from "../request-path.ts";
import { batchEvents } from "./batch-events.ts";
import { channel, channelStats, channelUsers } from "./channel.ts";
import { channels } from "./channels.ts";
import type { Endpoint } from "./endpoint.ts";
import { events } from "./events.ts";
import { legacyEvents } from "./legacy-events.ts";
import { occupancy } from "./occupancy.ts";
import { position } from "./position.ts";
import { tap } from "./tap.ts";
import { terminate } from "./terminate.ts";

/** One resource: its name in metrics, its path behind /apps/ID with `*` for a variable part, its method. */
interface Route {
  readonly name: string;
  readonly method: "GET" | "POST";
  readonly path: readonly string[];
  readonly endpoint: Endpoint;
}

const ROUTES: readonly Route[] = [
  { name: "events", method: "POST", path: ["events"], endpoint: events },
  { name: "batch_events", method: "POST", path: ["batch_events"], endpoint: batchEvents },
  { name: "channels", method: "GET", path: ["channels"], endpoint: channels },
  { name: "channel", method: "GET", path: ["channels", "*"], endpoint: channel },
  { name: "users", method: "GET", path: ["channels", "*", "users"], endpoint: channelUsers },
  { name: "stats", method: "GET", path: ["channels", "*", "stats"], endpoint: channelStats },
  { name: "legacy_events", method: "POST", path: ["channels", "*", "events"], endpoint: legacyEvents },
  { name: "terminate", method: "POST", path: ["users", "*", "terminate_connections"], endpoint: terminate },
  { name: "tap", method: "GET", path: ["tap"], endpoint: tap },
  { name: "occupancy", method: "GET", path: ["occupancy"], endpoint: occupancy },
  { name: "position", method: "POST", path: ["occupancy", "position"], endpoint: position },
];

/** What a path of the API names, or undefined where it is none of the API's. */
export interface ApiPath {
  /** Absent where the request's auth_key says which app is meant. */
  readonly appId: string | undefined;
  /** The parts behind /apps/ID, still encoded. */
  readonly segments: readonly string[];
}

/** python's library leaves /apps/ID out in one of its calls. */
const WITHOUT_APP = /^\/users\/[^/]+\/terminate_connections$/;

/** @param path without a configured prefix */
export function parseApiPath(path: string): ApiPath | undefined {
  if (path.startsWith("/apps/")) {
    const [, , appId = "", ...segments] = path.split("/");
    return { appId: decodeSegment(appId) ?? appId, segments };
  }
  return WITHOUT_APP.test(path) ? { appId: undefined, segments: path.split("/").slice(1) } : undefined;
}

export type RouteMatch =
  | { readonly found: "route"; readonly route: Route; readonly variables: readonly string[] }
  | { readonly found: "path"; readonly allowed: string }
  | { readonly found: "nothing" };

/** @param segments the parts of the path behind /apps/ID, still encoded */
export function matchRoute(method: string, segments: readonly string[]): RouteMatch {
  let allowed: string | undefined;
  for (const route of ROUTES) {
    if (!fits(route.path, segments)) continue;
    if (route.method === method) {
      return {
        found: "route",
        route,
        variables: route.path.length === 1 ? [] : variablesOf(route.path, segments),
      };
    }
    allowed = route.method;
  }
  return allowed === undefined ? { found: "nothing" } : { found: "path", allowed };
}

function fits(path: readonly string[], segments: readonly string[]): boolean {
  if (path.length !== segments.length) return false;
  for (let i = 0; i < path.length; i++) if (path[i] !== "*" && path[i] !== segments[i]) return false;
  return true;
}

function variablesOf(path: readonly string[], segments: readonly string[]): string[] {
  const encoded = segments.filter((_, index) => path[index] === "*");
  return encoded.map((variable) => decodeSegment(variable) ?? variable);
}
