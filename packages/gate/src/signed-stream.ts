import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { GateError } from "./gate-error.ts";
import type { Publisher } from "./publisher.ts";

/**
 * Opens a path of the app, such as "/occupancy", with these parameters and a signature, and gives the body. It ends with the
 * signal, and so does the connection.
 */
export type OpenStream = (
  path: string,
  params: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<AsyncIterable<Uint8Array>>;

const MAX_REFUSAL_CHARS = 500; // ours

/**
 * Streams from where the `pusher` library is set up to send. It goes around `pusher.get`, since the library gives a body away
 * whose connection nobody can end.
 */
export function signedStream(publisher: Publisher): OpenStream {
  return async (path, params, signal) => {
    const { request, options, fullPath } = addressOf(publisher, path);
    const query = publisher.createSignedQueryString({ method: "GET", path: fullPath, params });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request({ ...options, path: `${fullPath}?${query}`, signal }, resolve);
      asked.on("error", reject);
      asked.end();
    });
    if (response.statusCode === 200) return response;
    throw new GateError(
      "stream_failed",
      `the occupancy stream was refused with status ${response.statusCode}: ${await textOf(response)}`,
    );
  };
}

function addressOf(publisher: Publisher, path: string) {
  // Not among the library's types, but in each of its versions 5.
  const config: unknown = Reflect.get(publisher, "config");
  if (typeof config !== "object" || config === null) {
    throw new GateError(
      "options_invalid",
      "pusher tells no address: pass an instance of the pusher library, or openStream",
    );
  }
  const port: unknown = Reflect.get(config, "port");
  const agent: unknown = Reflect.get(config, "agent");
  const options: RequestOptions = {
    host: String(Reflect.get(config, "host")),
    ...(port === undefined || port === null ? {} : { port: String(port) }),
    // An agent is the caller's, with its certificates and proxies.
    ...(agent === undefined ? {} : { agent: agent as NonNullable<RequestOptions["agent"]> }),
    headers: { accept: "text/event-stream" },
  };
  return {
    request: Reflect.get(config, "scheme") === "https" ? httpsRequest : httpRequest,
    options,
    fullPath: `/apps/${String(Reflect.get(config, "appId"))}${path}`,
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > MAX_REFUSAL_CHARS) break; // which ends the connection
  }
  return text.trim().slice(0, MAX_REFUSAL_CHARS);
}
