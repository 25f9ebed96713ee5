import { Query } from "@earshot/protocol/query";
import { apiStringToSign, signChannel } from "@earshot/protocol/signature";
import { FixedApps } from "../../packages/server/src/core/testing/fixed-apps.ts";
import {
  type Client,
  draft,
  PAIR,
  World,
  type WorldParts,
} from "../../packages/server/src/core/testing/world.ts";
import { digest } from "../support/digest.ts";
import { SHARED } from "./generate.ts";
import { signedText, type TextStep } from "./step.ts";

export const OTHER_PAIR = { key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8" } as const;

const CLIENTS = 3;
export const MAX_CLIENT_EVENTS = 2;
const QUIET = ["bystander", "private-bystander", "presence-bystander"] as const;

/**
 * The core with clients that misbehave, and with others who must not be disturbed: a bystander on channels of its own,
 * a listener on the channels where the others are, a stranger on channels of the same names in another app.
 */
export class CoreStage {
  readonly world: World;
  readonly offenders: Client[] = [];
  readonly bystander: Client;
  readonly listener: Client;
  readonly stranger: Client;
  #markers = 0;

  constructor(parts: Omit<WorldParts, "apps"> = {}) {
    const features = { clientEvents: true, subscriptionCount: true, watchlist: true };
    const other = draft({ id: "3", keys: [{ ...OTHER_PAIR, createdMs: 1, revoked: false }], features });
    const ours = draft({ features });
    this.world = new World({ ...parts, apps: new FixedApps(ours, other) });
    this.bystander = this.world.connect();
    this.listener = this.world.connect();
    this.stranger = this.world.connect({ key: OTHER_PAIR.key });
    for (let client = 0; client < CLIENTS; client++) this.offenders.push(this.world.connect());
  }

  /** Puts those in their places who must not be disturbed. */
  enter(): void {
    const { bystander, listener, stranger } = this;
    const member = '{"user_id":"watcher"}';
    for (const channel of QUIET)
      bystander.subscribe(channel, channel.startsWith("presence-") ? member : undefined);
    for (const channel of SHARED) {
      const data = channel.startsWith("presence-") ? member : undefined;
      listener.subscribe(channel, data);
      const auth = signChannel(digest, OTHER_PAIR, stranger.socketId, channel, data);
      stranger.send({ event: "pusher:subscribe", data: { channel, auth, channel_data: data } });
    }
    for (const watcher of [bystander, listener, stranger]) watcher.take();
    const limits = {
      maxPresenceMembers: 3,
      maxClientEventsPerSecond: MAX_CLIENT_EVENTS,
      maxSubscriptionsPerConnection: 4,
    };
    this.world.apps.put(draft({ features: this.world.app().features, limits }));
  }

  offender(number: number): Client {
    const client = this.offenders[number % CLIENTS];
    if (client === undefined) throw new Error("there is no such client");
    return client;
  }

  /** The text of a step, signed for the client that sends it. */
  textFor(client: Client, step: TextStep): string {
    return signedText(step, PAIR, client.socketId);
  }

  /** Another client takes the place of one whose connection broke off. */
  replace(number: number): void {
    this.offender(number).vanish();
    this.offenders[number % CLIENTS] = this.world.connect();
  }

  /** @throws where those who must not be disturbed have got anything, or get not what is sent to them */
  checkTheQuiet(): void {
    const marker = String(this.#markers++);
    for (const channel of QUIET) this.world.publish(channel, "marker", marker);
    const expected = QUIET.map((channel) => `{"event":"marker","channel":"${channel}","data":"${marker}"}`);
    const got = this.bystander.take();
    if (got.length !== expected.length || got.some((frame, index) => frame !== expected[index])) {
      throw new Error(`the bystander got ${JSON.stringify(got).slice(0, 1_000)}`);
    }
    const leaked = this.stranger.take();
    if (leaked.length > 0) throw new Error(`the other app got ${JSON.stringify(leaked).slice(0, 1_000)}`);
  }

  /** @throws where rows, topics and tallies do not say what the sessions say */
  checkTheBooks(): void {
    const { world } = this;
    const sessions = [...this.offenders, this.bystander, this.listener].filter(
      ({ session }) => session.isOpen,
    );
    const rows = new Map<string, { subscriptions: number; users: Set<string> }>();
    for (const { session, socket } of sessions) {
      const topics = [...session.subscriptions.keys()].map((channel) => `4711/${channel}`);
      if (
        topics.length !== [...socket.topics].filter((topic) => !topic.includes("/#watched-")).length ||
        !topics.every((topic) => socket.topics.has(topic))
      ) {
        throw new Error("topics and subscriptions differ");
      }
      for (const { channel, userId } of session.subscriptions.values()) {
        const row = rows.get(channel) ?? { subscriptions: 0, users: new Set() };
        row.subscriptions++;
        if (userId !== undefined) row.users.add(userId);
        rows.set(channel, row);
      }
    }
    const counted = world.localOccupancy.channels("4711", "");
    if (counted.size !== rows.size)
      throw new Error(`rows of ${counted.size} channels, subscriptions of ${rows.size}`);
    let sum = 0;
    for (const [channel, row] of rows) {
      const counts = counted.get(channel);
      if (counts?.subscriptions !== row.subscriptions || counts.users !== row.users.size) {
        throw new Error(
          `the rows of ${channel} say ${JSON.stringify(counts)}, the sessions ${row.subscriptions}, ${row.users.size}`,
        );
      }
      sum += row.subscriptions;
    }
    const tally = world.tallies.of("4711");
    if (tally.subscriptions !== sum)
      throw new Error(`the tally says ${tally.subscriptions} subscriptions, there are ${sum}`);
    if (tally.connections !== sessions.length)
      throw new Error(`the tally says ${tally.connections} connections`);
    if (world.failures.length > 0) throw new Error(`something broke: ${String(world.failures[0])}`);
  }

  /** Everybody leaves. */
  leave(): void {
    for (const client of [...this.offenders, this.bystander, this.listener, this.stranger]) client.vanish();
  }

  /** @throws where something is left after everybody has left */
  checkTheEnd(): void {
    const { world } = this;
    const left = [...world.occupied("4711"), ...world.occupied("3"), ...world.topics.occupied];
    if (left.length > 0) throw new Error(`somebody is still on ${left.join()}`);
    for (const app of ["4711", "3"]) {
      const { connections, subscriptions, signedInUsers } = world.tallies.of(app);
      if (connections + subscriptions + signedInUsers > 0)
        throw new Error(`the tally of ${app} does not end at nothing`);
    }
  }
}

/** The query of a request with its signature, which covers it as the server will read it. */
export function signedQuery(
  method: string,
  path: string,
  query: string,
  body: Uint8Array,
  nowSeconds: number,
  secret: string = PAIR.secret,
): string {
  const hash = body.length === 0 ? "" : `&body_md5=${digest.md5Hex(body)}`;
  const own = `auth_key=${PAIR.key}&auth_timestamp=${nowSeconds}&auth_version=1.0${hash}`;
  const all = query === "" ? own : `${own}&${query}`;
  const text = apiStringToSign(method, path, new Query(all).parameters);
  return `${all}&auth_signature=${digest.hmacSha256Hex(secret, text)}`;
}
