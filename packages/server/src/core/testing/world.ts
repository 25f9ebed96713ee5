import type { NamedChannel } from "@earshot/protocol/api";
import { channelKind } from "@earshot/protocol/channel";
import type { ProtocolError } from "@earshot/protocol/errors";
import { signChannel, signUser } from "@earshot/protocol/signature";
import { nodeDigest } from "@earshot/protocol/testing/node-digest";
import { WEBHOOK_NAMES, type WebhookEvent } from "@earshot/protocol/webhook";
import { LocalBus } from "#cluster/local/bus";
import { LocalLastEvents } from "#cluster/local/last-events";
import { LocalOccupancy } from "#cluster/local/occupancy";
import { LocalOnlineUsers } from "#cluster/local/online-users";
import { LocalTerminations } from "#cluster/local/terminations";
import type { App, AppDraft, WebhookEndpoint } from "#core/app";
import { type Arrival, Connections } from "#core/connections";
import type { Bus, LastEvents, Occupancy, OnlineUsers, Terminations } from "#core/ports";
import { Publisher } from "#core/publish";
import { Queries } from "#core/queries";
import { Session, type SessionParts } from "#core/session";
import { Subscriptions } from "#core/subscribe";
import { SubscriptionCounts } from "#core/subscription-counts";
import { Tallies } from "#core/tally";
import { Taps } from "#core/taps";
import { Users } from "#core/users";
import { Watchlists } from "#core/watchlists";
import { FakeOutbox } from "./fake-outbox.ts";
import { FakeSocket, FakeTopics } from "./fake-topics.ts";
import { FixedApps } from "./fixed-apps.ts";
import { ManualClock } from "./manual-clock.ts";
import { SeededChance } from "./seeded-chance.ts";

export const PAIR = { key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" } as const;

export function draft(over: Partial<AppDraft> = {}): AppDraft {
  return {
    id: "4711",
    keys: [{ ...PAIR, createdMs: 1, revoked: false }],
    features: { clientEvents: true },
    ...over,
  };
}

/** A webhook endpoint that wants everything. */
export function endpoint(over: Partial<WebhookEndpoint> = {}): WebhookEndpoint {
  return {
    id: "e1",
    url: "https://receiver.example/webhooks",
    events: WEBHOOK_NAMES,
    prefix: "",
    suffix: "",
    batch: true,
    headers: {},
    enabled: true,
    createdMs: 1,
    ...over,
  };
}

export interface WorldParts {
  readonly apps?: FixedApps;
  readonly maxQueuedMessages?: number;
  /** Puts another form in front of the local one, such as one that answers later. */
  readonly occupancy?: (local: LocalOccupancy) => Occupancy;
  readonly lastEvents?: (local: LocalLastEvents) => LastEvents;
  readonly bus?: (local: LocalBus) => Bus;
  readonly online?: (local: LocalOnlineUsers) => OnlineUsers;
  readonly terminations?: (local: LocalTerminations) => Terminations;
  readonly offlineDelayMs?: number;
}

/** The whole core over the local ports, with fake sockets, fake time and seeded chance: put together as in server.ts. */
export class World {
  readonly clock = new ManualClock();
  readonly apps: FixedApps;
  readonly tallies = new Tallies();
  readonly taps = new Taps(this.clock);
  readonly topics = new FakeTopics();
  readonly outbox = new FakeOutbox(this.clock);
  readonly localOccupancy = new LocalOccupancy();
  readonly localLastEvents = new LocalLastEvents({ clock: this.clock, maxEvents: 1_000 });
  readonly localOnline = new LocalOnlineUsers();
  readonly connections: Connections;
  readonly bus: Bus;
  readonly counts: SubscriptionCounts;
  readonly subscriptions: Subscriptions;
  readonly watchlists: Watchlists;
  readonly users: Users;
  readonly publisher: Publisher;
  readonly queries: Queries;
  readonly sessionParts: SessionParts;
  /** What was reported as a bug or a broken back end. */
  readonly failures: unknown[] = [];

  constructor(parts: WorldParts = {}) {
    const { clock, outbox, tallies, taps } = this;
    const apps = parts.apps ?? new FixedApps(draft());
    this.apps = apps;
    const occupancy = parts.occupancy?.(this.localOccupancy) ?? this.localOccupancy;
    const lastEvents = parts.lastEvents?.(this.localLastEvents) ?? this.localLastEvents;
    const failed = (problem: unknown) => this.failures.push(problem);
    const times = { activityTimeoutSeconds: 120, pongTimeoutSeconds: 30 };
    this.connections = new Connections({ apps, tallies, clock, chance: new SeededChance(7), times });
    const localBus = new LocalBus({
      topics: this.topics,
      findSocket: (appId, socketId) => this.connections.find(appId, socketId)?.socket,
      delivered: (appId, frames) => {
        tallies.of(appId).deliveries += frames;
      },
    });
    const bus = parts.bus?.(localBus) ?? localBus;
    this.bus = bus;
    this.counts = new SubscriptionCounts({ apps, bus, outbox, clock, failed });
    this.subscriptions = new Subscriptions({
      occupancy,
      bus,
      lastEvents,
      counts: this.counts,
      outbox,
      clock,
      digest: nodeDigest,
    });
    const online = parts.online?.(this.localOnline) ?? this.localOnline;
    const offlineDelayMs = parts.offlineDelayMs ?? 0;
    this.watchlists = new Watchlists({ apps, online, bus, clock, offlineDelayMs, failed });
    const localTerminations = new LocalTerminations((appId, userId) => this.users.endSessions(appId, userId));
    const terminations = parts.terminations?.(localTerminations) ?? localTerminations;
    this.users = new Users({ online, terminations, watchlists: this.watchlists, digest: nodeDigest });
    this.publisher = new Publisher({ bus, lastEvents, occupancy, outbox, tallies, taps, clock });
    this.queries = new Queries({ occupancy, lastEvents });
    this.sessionParts = {
      clock,
      maxQueuedMessages: parts.maxQueuedMessages ?? 256,
      app: (appId) => apps.byId(appId),
      subscribe: (session, app, message) => this.subscriptions.subscribe(session, app, message),
      unsubscribe: (session, channel) => this.subscriptions.unsubscribe(session, channel),
      signIn: (session, app, message) => this.users.signIn(session, app, message),
      clientEvent: (session, app, message) => this.publisher.clientEvent(session, app, message),
      ended: (session) => {
        this.connections.remove(session);
        for (const answer of [this.subscriptions.leaveAll(session), this.users.leave(session)]) {
          if (answer instanceof Promise) answer.catch(failed);
        }
      },
      failed: (_session, problem) => failed(problem),
    };
  }

  /** A connection attempt, let in or not. */
  arrive(over: Partial<Arrival> = {}): { socket: FakeSocket; session: Session | ProtocolError } {
    const socket = new FakeSocket(this.topics);
    const arrival: Arrival = { key: PAIR.key, protocol: "7", origin: undefined, isTls: false, ...over };
    return { socket, session: this.connections.open(arrival, socket, this.sessionParts) };
  }

  /** A client that was let in and has read its welcome. */
  connect(over: Partial<Arrival> = {}): Client {
    const { socket, session } = this.arrive(over);
    if (!(session instanceof Session)) throw new Error(`the client was refused: ${session.message}`);
    socket.take();
    return new Client(session, socket);
  }

  /** An event published through the API. */
  publish(channel: string, name: string, data: string, exceptSocketId?: string): unknown {
    const trigger = { name, data, channels: [named(channel)], info: NO_INFO };
    return this.publisher.trigger(
      this.app(),
      exceptSocketId === undefined ? trigger : { ...trigger, exceptSocketId },
    );
  }

  app(id = "4711"): App {
    const app = this.apps.byId(id);
    if (app === undefined) throw new Error(`the world has no app ${id}`);
    return app;
  }

  /** What webhooks were told of happenings, of one app, in order. */
  get told(): WebhookEvent[] {
    return this.outbox.entries("4711").map(({ event }) => event);
  }

  /** Channels that the rows hold, of one app. */
  occupied(appId = "4711"): string[] {
    return [...this.localOccupancy.channels(appId, "").keys()];
  }
}

/** A client of the world: what it sends, what it got. */
export class Client {
  readonly session: Session;
  readonly socket: FakeSocket;

  constructor(session: Session, socket: FakeSocket) {
    this.session = session;
    this.socket = socket;
  }

  get socketId(): string {
    return this.session.socketId;
  }

  /** Sends a message, and returns what came back at once. */
  send(message: unknown): string[] {
    return this.sendText(JSON.stringify(message));
  }

  sendText(text: string): string[] {
    this.session.receive(text);
    return this.take();
  }

  /** Subscribes, signed where that is needed. */
  subscribe(channel: string, channelData?: string): string[] {
    const auth = signChannel(nodeDigest, PAIR, this.socketId, channel, channelData);
    return this.send({ event: "pusher:subscribe", data: { channel, auth, channel_data: channelData } });
  }

  /** Signs in, with the app's key. */
  signIn(userData: unknown): string[] {
    const text = typeof userData === "string" ? userData : JSON.stringify(userData);
    const auth = signUser(nodeDigest, PAIR, this.socketId, text);
    return this.send({ event: "pusher:signin", data: { auth, user_data: text } });
  }

  unsubscribe(channel: string): string[] {
    return this.send({ event: "pusher:unsubscribe", data: { channel } });
  }

  /** The frames that came since the last look. */
  take(): string[] {
    return this.socket.take();
  }

  /** The connection breaks off, without a word. */
  vanish(): void {
    this.socket.terminate();
    this.session.closed();
  }
}

const NO_INFO = { userCount: false, subscriptionCount: false, cache: false };

function named(name: string): NamedChannel {
  return { name, kind: channelKind(name) };
}
