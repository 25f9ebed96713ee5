/** The composition root: the only file that knows every room. */

import { join } from "node:path";
import { LocalAnnouncer } from "#cluster/local/announcer";
import { LocalBus } from "#cluster/local/bus";
import { LocalLastEvents } from "#cluster/local/last-events";
import { Ledger } from "#cluster/local/ledger";
import { LocalOccupancy } from "#cluster/local/occupancy";
import { LocalOnlineUsers } from "#cluster/local/online-users";
import { LocalTerminations } from "#cluster/local/terminations";
import type { Settings } from "#config/fields";
import { Connections } from "#core/connections";
import type { AppStore, Chance, Clock } from "#core/ports";
import { Publisher } from "#core/publish";
import { Queries } from "#core/queries";
import type { Session, SessionParts } from "#core/session";
import { Subscriptions } from "#core/subscribe";
import { SubscriptionCounts } from "#core/subscription-counts";
import { Tallies } from "#core/tally";
import { Taps } from "#core/taps";
import { Users } from "#core/users";
import { Watchlists } from "#core/watchlists";
import type { Log } from "#observe/log";
import { DiskThread } from "#store/disk-thread";
import { Api } from "#transport/api/api";
import { Authenticator } from "#transport/api/authenticate";
import { CertificateProblem, readCertificate, watchCertificate } from "#transport/certificate";
import { ClientAddress } from "#transport/client-address";
import { nativeDigest } from "#transport/digest";
import { GateReports } from "#transport/gate-reports";
import { FallbackSessions } from "#transport/http-fallback/fallback-sessions";
import { FallbackTopics } from "#transport/http-fallback/fallback-topics";
import { HttpFallback } from "#transport/http-fallback/http-fallback";
import { type Certificate, Listener } from "#transport/listener";
import { Metrics } from "#transport/metrics";
import { MetricsListener } from "#transport/metrics-listener";
import { type Pages, route } from "#transport/router";
import { NativeTopics } from "#transport/topics";
import { websocketHandler } from "#transport/websocket";
import { DeliveryStore } from "#webhooks/delivery-store";
import { Sender } from "#webhooks/sender";
import { Turns } from "#webhooks/turns";
import { Webhooks } from "#webhooks/webhooks";

const TICK_MS = 1_000;
const SWEEP_MS = 60_000;
const CLOSE_LOOK_MS = 20;
const HTTP_GOODBYE_MS = 500; // ours: the answers that end with a goodbye leave; others, such as taps, would never end

export interface ServerParts {
  readonly settings: Settings;
  readonly apps: AppStore;
  readonly log: Log;
  /** Of the program, as receivers of webhooks see it. */
  readonly version: string;
  /** Why the process should get no traffic although it runs, or undefined where all is well. */
  readonly unreadyReason?: () => string | undefined;
  readonly pages?: Pages;
}

export interface RunningServer {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  /** Lets nobody in, sends everybody to the next process with 4200, waits for them to go, at most as long as set. */
  stop(): Promise<void>;
}

/** @throws where the port, the address or the certificate cannot be used */
export function startServer({
  settings,
  apps,
  log,
  version,
  unreadyReason,
  pages,
}: ServerParts): RunningServer {
  const clock = systemClock();
  const tallies = new Tallies();
  const digest = nativeDigest();
  const taps = new Taps(clock);
  const times = {
    activityTimeoutSeconds: settings["socket.activityTimeoutSeconds"],
    pongTimeoutSeconds: settings["socket.pongTimeoutSeconds"],
  };
  const failed = (problem: unknown) => log.error({ problem: describe(problem) }, "an internal step failed");

  const fallbackTopics = new FallbackTopics();
  const topics = new NativeTopics(fallbackTopics);
  const diskOf = (file: string) =>
    new DiskThread(file, clock, (problem) =>
      log.error({ file, problem }, "a checkpoint failed: writing makes its own, and clients may feel it"),
    );
  const outboxFile = join(settings["data.dir"], "outbox.db");
  const outboxDisk = diskOf(outboxFile);
  const ledger = new Ledger(outboxFile, outboxDisk);
  const announcer = new LocalAnnouncer({
    ledger,
    clock,
    later: systemAlarm,
    vacatedDelayMs: settings["occupancy.vacatedDelayMs"],
    commitGapMs: settings["occupancy.commitGapMs"],
    subscriptions: (appId, channel) => occupancy.counts(appId, channel).subscriptions,
    trouble: (problem) =>
      log.error(
        { problem: describe(problem) },
        "the outbox cannot be written: changes wait, subscribes go on",
      ),
    recovered: () => log.info({}, "the outbox can be written again"),
  });
  const occupancy = new LocalOccupancy(announcer);
  const lastEvents = new LocalLastEvents({ clock, maxEvents: settings["cache.maxEvents"] });
  const connections = new Connections({ apps, tallies, clock, chance: systemChance(), times });
  const bus = new LocalBus({
    topics,
    findSocket: (appId, socketId) => connections.find(appId, socketId)?.socket,
    delivered: (appId, frames) => {
      tallies.of(appId).deliveries += frames;
    },
  });
  const counts = new SubscriptionCounts({ apps, bus, outbox: announcer, clock, failed });
  const subscriptions = new Subscriptions({
    occupancy,
    bus,
    lastEvents,
    counts,
    outbox: announcer,
    clock,
    digest,
  });
  const online = new LocalOnlineUsers();
  const offlineDelayMs = settings["watchlist.offlineDelayMs"];
  const watchlists = new Watchlists({ apps, online, bus, clock, offlineDelayMs, failed });
  const terminations = new LocalTerminations((appId, userId) => users.endSessions(appId, userId));
  const users = new Users({ online, terminations, watchlists, digest });
  const publisher = new Publisher({ bus, lastEvents, occupancy, outbox: announcer, tallies, taps, clock });
  const queries = new Queries({ occupancy, lastEvents });

  const sessionParts: SessionParts = {
    clock,
    maxQueuedMessages: settings["socket.maxQueuedMessages"],
    app: (appId) => apps.byId(appId),
    subscribe: (session, app, message) => subscriptions.subscribe(session, app, message),
    unsubscribe: (session, channel) => subscriptions.unsubscribe(session, channel),
    signIn: (session, app, message) => users.signIn(session, app, message),
    clientEvent: (session, app, message) => publisher.clientEvent(session, app, message),
    ended: (session) => {
      connections.remove(session);
      for (const answer of [subscriptions.leaveAll(session), users.leave(session)]) {
        if (answer instanceof Promise) answer.catch(failed);
      }
    },
    failed: (session: Session, problem) =>
      log.error(
        { app: session.appId, socketId: session.socketId, problem: describe(problem) },
        "a message failed",
      ),
  };

  const deliveriesFile = join(settings["data.dir"], "deliveries.db");
  const deliveriesDisk = diskOf(deliveriesFile);
  const deliveries = new DeliveryStore({
    file: deliveriesFile,
    disk: deliveriesDisk,
    later: systemAlarm,
    log,
  });
  const sender = new Sender({
    timeoutMs: settings["webhooks.timeoutMs"],
    targets: settings["webhooks.targets"],
    clock,
  });
  const webhooks = new Webhooks({
    apps,
    outbox: announcer,
    store: deliveries,
    send: (request) => sender.send(request),
    digest,
    clock,
    chance: systemChance(),
    later: systemAlarm,
    inTurn: new Turns().add,
    settings: {
      paceMs: settings["webhooks.paceMs"],
      retryBaseMs: settings["webhooks.retryBaseMs"],
      retryMaxMs: settings["webhooks.retryMaxMs"],
      poisonMs: settings["webhooks.poisonMs"],
      giveUpMs: settings["webhooks.giveUpMs"],
      maxWaiting: settings["webhooks.maxWaiting"],
    },
    userAgent: `Earshot/${version}`,
    log,
  });
  const gates = new GateReports(clock);
  const outboxHealth = () => {
    const { held, dropped, problem } = announcer.health;
    return { held, dropped, isFailing: problem !== undefined };
  };
  const metrics = new Metrics({ tallies, apps, webhookStatus: webhooks, gates, clock, outboxHealth });
  const api = new Api({
    publisher,
    queries,
    taps,
    users,
    apps,
    outbox: announcer,
    webhookStatus: webhooks,
    gates,
    clock,
    later: systemAlarm,
    authenticator: new Authenticator({ apps, digest, clock }),
    tallies,
    maxBodyBytes: settings["http.maxBodyBytes"],
    log,
  });
  const fallback = new HttpFallback({
    sessions: new FallbackSessions({
      connections,
      sessionParts,
      topics: fallbackTopics,
      maxWaitingBytes: settings["socket.maxBackpressureBytes"],
      clock,
      later: systemAlarm,
      log,
    }),
    apps,
    tallies,
    maxBodyBytes: settings["http.maxBodyBytes"],
    maxQueuedMessages: settings["socket.maxQueuedMessages"],
  });
  const outboxProblem = () => {
    const { problem } = announcer.health;
    return problem === undefined ? undefined : `the outbox cannot be written (${problem})`;
  };
  const routerParts = {
    api,
    fallback,
    metrics,
    metricsToken: settings["metrics.token"],
    readiness: () => {
      const why = connections.isShuttingDown ? "it is shutting down" : (unreadyReason?.() ?? outboxProblem());
      return why === undefined ? ({ isReady: true } as const) : ({ isReady: false, why } as const);
    },
    clientAddress: new ClientAddress(settings["http.trustedProxies"]),
    prefixes: settings["http.prefixes"],
    pages,
  };

  const certificate = certificateOf(settings);
  const listener = new Listener(
    {
      host: settings["http.host"],
      port: settings["http.port"],
      maxRequestBytes: settings["http.maxBodyBytes"] * REFUSED_POLITELY_TIMES,
      websocket: websocketHandler({
        connections,
        sessionParts,
        maxBackpressureBytes: settings["socket.maxBackpressureBytes"],
        log,
      }),
      topics,
      fetch: (request, server, isTls) => route(routerParts, request, server, isTls),
      failed,
    },
    certificate,
  );
  const metricsListener =
    settings["metrics.port"] === 0
      ? undefined
      : new MetricsListener(metrics, settings["metrics.host"], settings["metrics.port"]);

  announcer.settleFor(
    Math.max(
      settings["occupancy.settleMs"],
      ledger.takePlannedStop() ? settings["occupancy.plannedSettleMs"] : 0,
    ),
  );
  webhooks.start().catch(failed);
  const ticking = setInterval(() => {
    connections.checkLiveness();
    counts.tick();
    watchlists.tick();
    fallback.tick();
  }, TICK_MS);
  const sweeping = setInterval(() => lastEvents.sweep(), SWEEP_MS);
  const stopWatching = watchFor(listener, settings, certificate, log);

  return {
    url: `${certificate === undefined ? "http" : "https"}://${shownHost(settings["http.host"])}:${listener.port}`,
    stop: async () => {
      stopWatching();
      clearInterval(sweeping);
      listener.stopAccepting();
      subscriptions.beQuiet();
      announcer.beQuiet();
      watchlists.beQuiet();
      const saysGoodbyeOverHttp = fallback.sessions > 0;
      connections.shutDown();
      const graceMs = settings["shutdown.graceSeconds"] * 1_000;
      await until(() => listener.openConnections === 0, graceMs);
      if (saysGoodbyeOverHttp)
        await until(() => listener.openAnswers === 0, Math.min(graceMs, HTTP_GOODBYE_MS));
      clearInterval(ticking);
      await Promise.all([listener.stop(), metricsListener?.stop()]);
      announcer.stop();
      await Bun.sleep(CLOSE_LOOK_MS); // what it told last is on its way
      await webhooks.stop();
      sender.close();
      await Promise.all([outboxDisk.close(), deliveriesDisk.close()]);
      deliveries.close();
      ledger.close();
    },
  };
}

/** Bodies up to this many times the limit get our own error; what says it is larger is cut off by the runtime. */
const REFUSED_POLITELY_TIMES = 8; // ours

function certificateOf(settings: Settings): Certificate | undefined {
  const [cert, key] = [settings["tls.cert"], settings["tls.key"]];
  if (cert === "" && key === "") return undefined;
  if (cert !== "" && key !== "") return readCertificate(cert, key);
  throw new CertificateProblem(
    "TLS needs both a certificate and its key: give --tls-cert and --tls-key together.",
  );
}

function watchFor(
  listener: Listener,
  settings: Settings,
  certificate: Certificate | undefined,
  log: Log,
): () => void {
  if (certificate === undefined) return () => undefined;
  return watchCertificate(
    { cert: settings["tls.cert"], key: settings["tls.key"] },
    certificate,
    (renewed) => {
      listener.renew(renewed);
      log.info({ file: settings["tls.cert"] }, "the new certificate is in use");
    },
    (problem) =>
      log.error({ problem: problem.message }, "the new certificate cannot be used; the old one stays in use"),
  );
}

/** Waits for a condition, but not for longer than so. */
async function until(isSo: () => boolean, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!isSo() && performance.now() < endMs) await Bun.sleep(CLOSE_LOOK_MS);
}

function shownHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function systemClock(): Clock {
  return { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
}

/** Returns the way out. */
function systemAlarm(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}

/** Two random words give 53 bits, enough for any `below` up to 2^53 without a visible bias. */
function systemChance(): Chance {
  const words = new Uint32Array(2);
  return {
    integer: (below) => {
      crypto.getRandomValues(words);
      const [high = 0, low = 0] = words;
      return ((high >>> 11) * 4_294_967_296 + low) % below;
    },
  };
}

function describe(problem: unknown): string {
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
}
