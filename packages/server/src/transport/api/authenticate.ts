import { type SignedRequest, verifyApiRequest, verifyBody } from "@earshot/protocol/api-signature";
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
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

export interface UnprovenRequest extends SignedRequest {
  /** Absent where the key says which app is meant. */
  readonly appId: string | undefined;
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

  /** Comes before the body is read: strangers make the server read nothing. */
  verifySender(request: UnprovenRequest): App | ProtocolError {
    const app = this.#appOf(request);
    if (app instanceof ProtocolError) return app;
    const keys = { id: app.id, findPair: (key: string) => activeKey(app, key) };
    const failure = verifyApiRequest(this.#digest, request, keys, Math.floor(this.#clock.wallMs() / 1_000));
    if (failure !== undefined) return failure;
    return app.enabled ? app : protocolError("appDisabled", { app: app.id });
  }

  #appOf({ appId, query }: UnprovenRequest): App | ProtocolError {
    if (appId !== undefined) return this.#apps.byId(appId) ?? protocolError("apiAppUnknown", { app: appId });
    const key = query.get("auth_key");
    if (key === undefined) return protocolError("apiKeyMissing");
    return this.#apps.byKey(key)?.app ?? protocolError("apiKeyUnknown", { app: "ID" });
  }

  /** Ties the body to the signature of its request. */
  verifyBody(app: App, query: Query, body: Uint8Array): AuthenticRequest | ProtocolError {
    return verifyBody(this.#digest, query, body) ?? { app, query, body };
  }
}
