import { verifyApiRequest, verifyBody } from "@earshot/protocol/api-signature";
import { protocolError, ProtocolError } from "@earshot/protocol/errors";
import type { Query } from "@earshot/protocol/query";
import type { Digest } from "@earshot/protocol/signature";
import { type App, activeKey } from "#core/app";
import type { AppStore, Clock } from "#core/ports";

/** A request whose app exists, whose signature is right, whose body is the one that was signed. */
export interface AuthenticRequest {
  readonly app: App;
  readonly query: Query;
  readonly body: Uint8Array;
}

export interface UnprovenRequest {
  readonly appId: string;
  readonly method: string;
  readonly path: string;
  readonly pathWithoutPrefix?: string;
  readonly query: Query;
  /** Only called once the signature has proved right: strangers make the server read nothing. */
  readBody(): Promise<Uint8Array | ProtocolError>;
}

/** The door of the HTTP API: nothing of a request is used before it has passed here. */
export class Authenticator {
  readonly #apps: AppStore;
  readonly #digest: Digest;
  readonly #clock: Clock;

  constructor(parts: { apps: AppStore; digest: Digest; clock: Clock }) {
    this.#apps = parts.apps;
    this.#digest = parts.digest;
    this.#clock = parts.clock;
  }

  async authenticate(request: UnprovenRequest): Promise<AuthenticRequest | ProtocolError> {
    const { query } = request;
    const app = this.#apps.byId(request.appId);
    if (app === undefined) return protocolError("apiAppUnknown", { app: request.appId });
    const findPair = (key: string) => activeKey(app, key);
    const nowSeconds = Math.floor(this.#clock.wallMs() / 1_000);
    const failure = verifyApiRequest(this.#digest, request, { id: app.id, findPair }, nowSeconds);
    if (failure !== undefined) return failure;
    if (!app.enabled) return protocolError("appDisabled", { app: app.id });
    const body = await request.readBody();
    if (body instanceof ProtocolError) return body;
    return verifyBody(this.#digest, query, body) ?? { app, query, body };
  }
}
