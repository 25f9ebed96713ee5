import type { Server, WebSocketHandler } from "bun";
import type { Socket } from "#core/ports";
import { text } from "./answers.ts";
import type { NativeTopics } from "./topics.ts";
import type { SocketData } from "./websocket.ts";

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface ListenerParts {
  readonly host: string;
  readonly port: number;
  /** Bodies that say they are larger get a bare 413 of the runtime. */
  readonly maxRequestBytes: number;
  readonly websocket: WebSocketHandler<SocketData>;
  readonly topics: NativeTopics;
  readonly fetch: (
    request: Request,
    server: Server<SocketData>,
    isTls: boolean,
  ) => Response | Promise<Response> | undefined;
  readonly failed: (problem: unknown) => void;
}

/** The port. A new certificate is taken up by a new native server; the old one serves the clients that it has. */
export class Listener {
  readonly #parts: ListenerParts;
  #current: Server<SocketData>;
  #retired: Server<SocketData>[] = [];
  /** Filled only while there is a retired server: which one a socket belongs to. */
  readonly #owners = new WeakMap<object, Server<SocketData>>();

  /** @throws what the runtime throws: a port in use, an address that is not ours, a wrong certificate */
  constructor(parts: ListenerParts, certificate: Certificate | undefined) {
    this.#parts = parts;
    this.#current = this.#serve(parts.port, certificate);
    this.#useServers();
  }

  get url(): URL {
    return this.#current.url;
  }

  get port(): number {
    return this.#current.port ?? this.#parts.port;
  }

  /** @throws where the certificate is wrong; the old one then stays in use */
  renew(certificate: Certificate): void {
    this.#serve(0, certificate).stop(true); // a certificate that cannot be served is found here, not on the port
    const { port } = this;
    void this.#current.stop(false);
    this.#retired = [...this.#retired.filter(isInUse), this.#current];
    this.#current = this.#serve(port, certificate);
    this.#useServers();
  }

  /** WebSockets that have not gone yet. */
  get openConnections(): number {
    return [this.#current, ...this.#retired].reduce((sum, server) => sum + server.pendingWebSockets, 0);
  }

  /** Requests that are not answered to their end. */
  get openAnswers(): number {
    return [this.#current, ...this.#retired].reduce((sum, server) => sum + server.pendingRequests, 0);
  }

  /** Lets nobody in any more; those who are in stay. */
  stopAccepting(): void {
    void this.#current.stop(false);
  }

  /** Ends what is left. */
  async stop(): Promise<void> {
    await Promise.all([this.#current, ...this.#retired].map((server) => server.stop(true)));
  }

  #useServers(): void {
    this.#parts.topics.use([this.#current, ...this.#retired], (socket: Socket) => this.#owners.get(socket));
  }

  #serve(port: number, certificate: Certificate | undefined): Server<SocketData> {
    const parts = this.#parts;
    const owners = this.#owners;
    const isTls = certificate !== undefined;
    const server: Server<SocketData> = Bun.serve<SocketData>({
      hostname: parts.host,
      port,
      ...(certificate === undefined ? {} : { tls: { cert: certificate.cert, key: certificate.key } }),
      development: false,
      reusePort: false, // left out, the runtime lets two servers share a port in silence
      maxRequestBodySize: parts.maxRequestBytes,
      fetch: (request, self) => parts.fetch(request, self, isTls),
      error: (problem) => {
        parts.failed(problem);
        return text(500, "The server could not answer; its log says why.\n");
      },
      websocket: {
        ...parts.websocket,
        open(ws) {
          if (isTls) owners.set(ws, server);
          return parts.websocket.open?.(ws);
        },
      },
    });
    return server;
  }
}

/** Somebody is still connected, by WebSocket or with an answer that stays open. */
function isInUse(server: Server<SocketData>): boolean {
  return server.pendingWebSockets > 0 || server.pendingRequests > 0;
}
