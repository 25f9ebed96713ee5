/** HTTP/1.1 on a bare socket: the request target leaves exactly as it is written, unlike with a client that parses URLs. */
import { connect } from "node:net";

export interface RawRequest {
  readonly method: "GET" | "POST";
  /** Path and query, as they stand in the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface RawResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export function sendRaw(server: { host: string; port: number }, request: RawRequest): Promise<RawResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<RawResponse>();
  const chunks: Buffer[] = [];
  const socket = connect(server.port, server.host, () => socket.write(textOf(server, request)));
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", reject);
  socket.on("close", () => {
    try {
      resolve(parse(Buffer.concat(chunks).toString()));
    } catch (problem) {
      reject(problem);
    }
  });
  return promise;
}

function textOf(
  server: { host: string; port: number },
  { method, target, headers, body }: RawRequest,
): string {
  const all: Record<string, string> = {
    Host: `${server.host}:${server.port}`,
    Connection: "close",
    ...headers,
  };
  if (body !== undefined) all["Content-Length"] = String(Buffer.byteLength(body));
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`;
}

function parse(text: string): RawResponse {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1];
  if (end < 0 || status === undefined)
    throw new Error(`the server did not answer in HTTP: ${JSON.stringify(text)}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status), headers, body: text.slice(end + 4) };
}
