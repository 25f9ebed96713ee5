import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import * as frames from "@earshot/protocol/server-message";
import { makeSocketId } from "@earshot/protocol/socket-id";
import { type App, activeKey, allowsOrigin } from "./app.ts";
import type { AppStore, Chance, Clock, Socket } from "./ports.ts";
import { closeReason, Session, type SessionParts } from "./session.ts";
import type { Tallies } from "./tally.ts";

/** What a client said when it connected. */
export interface Arrival {
  /** Absent where the path is not that of an app. */
  readonly key: string | undefined;
  readonly protocol: string | undefined;
  readonly origin: string | undefined;
  readonly isTls: boolean;
}

export interface ConnectionTimes {
  readonly activityTimeoutSeconds: number;
  readonly pongTimeoutSeconds: number;
}

const OLDEST_PROTOCOL = 4; // the oldest whose subscriptions are confirmed on every kind of channel
const NEWEST_PROTOCOL = 7;

/** Everybody who is connected to this process: lets them in, watches that they live, sees them out. */
export class Connections {
  readonly #byApp = new Map<string, Map<string, Session>>();
  readonly #apps: AppStore;
  readonly #tallies: Tallies;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #times: ConnectionTimes;
  #isShuttingDown = false;

  constructor(parts: {
    apps: AppStore;
    tallies: Tallies;
    clock: Clock;
    chance: Chance;
    times: ConnectionTimes;
  }) {
    this.#apps = parts.apps;
    this.#tallies = parts.tallies;
    this.#clock = parts.clock;
    this.#chance = parts.chance;
    this.#times = parts.times;
    this.#apps.onChange((appId, app) => this.#appChanged(appId, app));
  }

  /** The first thing that happens on a new connection: exactly one frame, a welcome or an error and a close. */
  open(arrival: Arrival, socket: Socket, sessionParts: SessionParts): Session | ProtocolError {
    const app = this.#admit(arrival);
    if (app instanceof ProtocolError) {
      const appId = arrival.key === undefined ? undefined : this.#apps.byKey(arrival.key)?.app.id;
      this.#tallies.of(appId ?? "").refused(app.reason);
      socket.send(frames.error(app));
      socket.close(app.code ?? 4200, closeReason(app.message));
      return app;
    }
    const tally = this.#tallies.of(app.id);
    const sessions = this.#sessionsOf(app.id);
    const socketId = this.#freshSocketId(sessions);
    const session = new Session(app.id, socketId, socket, tally, sessionParts);
    sessions.set(socketId, session);
    tally.connections++;
    tally.connectionsOpened++;
    socket.send(frames.connectionEstablished(socketId, this.#times.activityTimeoutSeconds));
    return session;
  }

  find(appId: string, socketId: string): Session | undefined {
    return this.#byApp.get(appId)?.get(socketId);
  }

  /** Forgets a session that has ended. */
  remove(session: Session): void {
    const sessions = this.#byApp.get(session.appId);
    if (sessions?.delete(session.socketId)) session.tally.connections--;
    if (sessions?.size === 0) this.#byApp.delete(session.appId);
  }

  get count(): number {
    let count = 0;
    for (const sessions of this.#byApp.values()) count += sessions.size;
    return count;
  }

  get isShuttingDown(): boolean {
    return this.#isShuttingDown;
  }

  /** To be called about once a second: asks silent clients for a sign of life, closes dead and unauthorized ones. */
  checkLiveness(): void {
    const nowMs = this.#clock.monotonicMs();
    const activityMs = this.#times.activityTimeoutSeconds * 1_000;
    const pongMs = this.#times.pongTimeoutSeconds * 1_000;
    for (const session of this.#all()) session.checkLiveness(nowMs, activityMs, pongMs);
    this.#checkAuthorization(nowMs);
  }

  /** From here on nobody is let in and departures are quiet: the next process compares and tells. */
  shutDown(): void {
    this.#isShuttingDown = true;
    for (const session of this.#all()) session.end(protocolError("shuttingDown"));
  }

  #checkAuthorization(nowMs: number): void {
    for (const [appId, sessions] of [...this.#byApp]) {
      const timeoutMs = (this.#apps.byId(appId)?.limits.authorizationTimeoutSeconds ?? 0) * 1_000;
      if (timeoutMs === 0) continue;
      for (const session of [...sessions.values()]) session.checkAuthorization(nowMs, timeoutMs);
    }
  }

  *#all(): Generator<Session> {
    for (const sessions of [...this.#byApp.values()]) yield* [...sessions.values()];
  }

  #admit(arrival: Arrival): App | ProtocolError {
    if (this.#isShuttingDown) return protocolError("shuttingDown");
    if (arrival.key === undefined) return protocolError("pathUnknown");
    const found = this.#apps.byKey(arrival.key)?.app;
    const app = found !== undefined && activeKey(found, arrival.key) !== undefined ? found : undefined;
    if (app === undefined) return protocolError("appUnknown", { key: arrival.key });
    const version = checkProtocol(arrival.protocol);
    if (version !== undefined) return version;
    if (!app.enabled) return protocolError("appDisabled", { app: app.id });
    if (app.tlsOnly && !arrival.isTls) return protocolError("tlsRequired");
    if (!allowsOrigin(app, arrival.origin))
      return protocolError("originRefused", { origin: arrival.origin ?? "" });
    const limit = app.limits.maxConnections;
    const actual = this.#byApp.get(app.id)?.size ?? 0;
    if (limit > 0 && actual >= limit)
      return protocolError("connectionQuota", {}, { limit, actual: actual + 1 });
    return app;
  }

  #sessionsOf(appId: string): Map<string, Session> {
    const found = this.#byApp.get(appId);
    if (found !== undefined) return found;
    const sessions = new Map<string, Session>();
    this.#byApp.set(appId, sessions);
    return sessions;
  }

  #freshSocketId(sessions: ReadonlyMap<string, Session>): string {
    for (;;) {
      const socketId = makeSocketId((below) => this.#chance.integer(below));
      if (!sessions.has(socketId)) return socketId;
    }
  }

  /** A switch that was turned takes effect on those who are connected, too. */
  #appChanged(appId: string, app: App | undefined): void {
    const failure =
      app === undefined
        ? protocolError("appUnknown", { key: `of app ${appId}` })
        : app.enabled
          ? undefined
          : protocolError("appDisabled", { app: appId });
    if (failure === undefined) return;
    for (const session of [...(this.#byApp.get(appId)?.values() ?? [])]) session.end(failure);
  }
}

function checkProtocol(version: string | undefined): ProtocolError | undefined {
  if (version === undefined || version === "") return protocolError("protocolMissing");
  const number = /^\d{1,4}$/.test(version) ? Number(version) : Number.NaN;
  if (number >= OLDEST_PROTOCOL && number <= NEWEST_PROTOCOL) return undefined;
  return protocolError("protocolUnsupported", { version });
}
