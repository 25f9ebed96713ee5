/** The authorization endpoint of an application, as applications have one: the official library behind two addresses. */
import Pusher from "pusher";
import type { Earshot } from "./earshot.ts";

interface AuthorizerRequest {
  readonly path: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface AuthorizerOptions {
  /** 32 bytes as base64, for encrypted channels. */
  readonly encryptionMasterKeyBase64?: string;
  /** Who asks; by default the fields `user_id` and `user_info` (JSON) of the request say so. */
  readonly user?: (fields: Readonly<Record<string, string>>) => {
    id: string;
    info?: Record<string, unknown>;
  };
  /** Refuses with 403 what it returns false for. */
  readonly allows?: (fields: Readonly<Record<string, string>>) => boolean;
}

export interface Authorizer {
  readonly url: string;
  /** For `channelAuthorization.endpoint`. */
  readonly channelEndpoint: string;
  /** For `userAuthentication.endpoint`. */
  readonly userEndpoint: string;
  /** What was asked, in order. */
  readonly requests: AuthorizerRequest[];
  stop(): Promise<void>;
}

const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Methods": "POST, OPTIONS",
  "Access-Control-Allow-Headers": "*",
};

export function startAuthorizer(earshot: Earshot, options: AuthorizerOptions = {}): Authorizer {
  const library = pusherFor(earshot, options.encryptionMasterKeyBase64);
  const requests: AuthorizerRequest[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: CORS });
      const path = new URL(request.url).pathname;
      const fields = Object.fromEntries(new URLSearchParams(await request.text()));
      requests.push({ path, fields });
      if (options.allows?.(fields) === false)
        return new Response("Forbidden", { status: 403, headers: CORS });
      return Response.json(answer(library, options, path, fields), { headers: CORS });
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    channelEndpoint: `${url}/pusher/auth`,
    userEndpoint: `${url}/pusher/user-auth`,
    requests,
    stop: () => server.stop(true),
  };
}

/** The official back-end library, set up for a test server. */
export function pusherFor(earshot: Earshot, encryptionMasterKeyBase64?: string): Pusher {
  return new Pusher({
    appId: earshot.app.id,
    key: earshot.app.key,
    secret: earshot.app.secret,
    host: earshot.host,
    port: String(earshot.port),
    useTLS: earshot.url.startsWith("https:"),
    ...(encryptionMasterKeyBase64 === undefined ? {} : { encryptionMasterKeyBase64 }),
  });
}

function answer(
  library: Pusher,
  options: AuthorizerOptions,
  path: string,
  fields: Readonly<Record<string, string>>,
): object {
  const { socket_id = "", channel_name = "" } = fields;
  const { id, info } = (options.user ?? userOfFields)(fields);
  if (path === "/pusher/user-auth") {
    return library.authenticateUser(socket_id, info === undefined ? { id } : { id, user_info: info });
  }
  if (!channel_name.startsWith("presence-")) return library.authorizeChannel(socket_id, channel_name);
  const member = info === undefined ? { user_id: id } : { user_id: id, user_info: info };
  return library.authorizeChannel(socket_id, channel_name, member);
}

function userOfFields(fields: Readonly<Record<string, string>>): {
  id: string;
  info?: Record<string, unknown>;
} {
  const id = fields["user_id"] ?? "somebody";
  const info = fields["user_info"];
  return info === undefined ? { id } : { id, info: JSON.parse(info) };
}
