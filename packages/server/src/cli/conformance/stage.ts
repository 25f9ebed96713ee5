/** What one check works with: connections and requests of its own, which are gone when it is over. */
import { randomBytes } from "node:crypto";
import { Client, type ConnectOptions, type SubscribeExtra } from "./client.ts";
import { must, NotShown, shown } from "./finding.ts";
import { type Frame, innerOf } from "./frame.ts";
import { type Answer, Exchange, type Request } from "./http.ts";
import { type Call, type Library, libraryRequest } from "./library-request.ts";
import { mountPath } from "./socket.ts";
import type { Target } from "./target.ts";

const QUIET_MS = 200; // ours: what a server needs to say something that it should not
const RUN = randomBytes(4).toString("hex");
let names = 0;

export type ApiOptions = Partial<Omit<Call, "method" | "path" | "prefix">> & { readonly library?: Library };

export class Stage {
  readonly target: Target;
  readonly #clients = new Set<Client>();
  readonly #exchanges = new Set<Exchange>();
  #isOver = false;

  constructor(target: Target) {
    this.target = target;
  }

  /** A name that nobody else uses, also in other runs against the same server. */
  name(prefix = ""): string {
    names++;
    return `${prefix}check-${RUN}-${names}`;
  }

  /** Connects, whatever the server says then. */
  async open(options?: ConnectOptions): Promise<Client> {
    const client = await Client.open(this.target, options);
    this.#clients.add(client);
    if (this.#isOver) client.destroy();
    return client;
  }

  /** Connects and takes the welcome. */
  async connect(options?: ConnectOptions): Promise<Client> {
    const client = await this.open(options);
    await client.welcome();
    return client;
  }

  /** A new connection that is subscribed. */
  async subscriber(channel: string, extra?: SubscribeExtra): Promise<Client> {
    const client = await this.connect();
    await client.join(channel, extra);
    return client;
  }

  /** A new connection on a presence channel. */
  async member(channel: string, userId: string | number, info?: unknown, url?: URL): Promise<Client> {
    const client = await this.connect(url === undefined ? {} : { url });
    await client.join(channel, memberData(userId, info));
    return client;
  }

  /** Another node of the cluster. @throws NotShown where none was named */
  otherNode(): URL {
    if (this.target.otherNode === undefined)
      throw new NotShown("needs a second node of the cluster: name it with --other-node URL");
    return this.target.otherNode;
  }

  /** Starts a request as it stands, for who looks at the answer while it comes. */
  async request(request: Request, url?: URL): Promise<Exchange> {
    const exchange = await Exchange.start(this.target, request, url);
    this.#exchanges.add(exchange);
    if (this.#isOver) exchange.abort();
    return exchange;
  }

  /** Sends a request as it stands. */
  async send(request: Request, url?: URL): Promise<Answer> {
    return await (await this.request(request, url)).answer();
  }

  /** A signed call of the HTTP API, as a library makes it (node's form where none is named). */
  async api(
    method: "GET" | "POST",
    path: string,
    { library = "node", ...options }: ApiOptions = {},
  ): Promise<Answer> {
    const prefix = mountPath(this.target.url);
    return await this.send(
      libraryRequest(library, { app: this.target.app, method, path, prefix, ...options }),
    );
  }

  async get(path: string, query?: Readonly<Record<string, string>>): Promise<Answer> {
    return await this.api("GET", path, query === undefined ? {} : { query });
  }

  async post(path: string, body: unknown): Promise<Answer> {
    return await this.api("POST", path, { body: typeof body === "string" ? body : JSON.stringify(body) });
  }

  /** Publishes one event. @throws Finding where that is refused */
  async publish(
    channels: string | readonly string[],
    name: string,
    data: string,
    more: object = {},
  ): Promise<Answer> {
    const list = typeof channels === "string" ? [channels] : channels;
    const answer = await this.post("/events", { name, channels: list, data, ...more });
    must(
      answer.status === 200,
      () => `publishing to ${shown(list.join(", "))} was answered with ${shownAnswer(answer)}`,
    );
    return answer;
  }

  /** Waits until who should hear nothing would have heard it. */
  async quiet(...clients: readonly Client[]): Promise<void> {
    await Bun.sleep(QUIET_MS);
    for (const client of clients) await client.settled();
  }

  /** The check is over: nothing of it may go on. */
  end(): void {
    this.#isOver = true;
    for (const client of this.#clients) client.destroy();
    for (const exchange of this.#exchanges) exchange.abort();
  }
}

export function memberData(userId: string | number, info?: unknown): { readonly channel_data: string } {
  return { channel_data: JSON.stringify({ user_id: userId, user_info: info }) };
}

export function shownAnswer({ status, body }: Answer): string {
  return `${status} ${shown(body)}`;
}

/** Who is named in a `member_added` or `member_removed`. */
export function userOf(frame: Frame): unknown {
  return innerOf(frame)["user_id"];
}

/** Whether a frame tells that a subscription, or something else, was refused. */
export function isRefusal(frame: Frame): boolean {
  return (
    frame.event === "pusher:error" ||
    frame.event === "pusher:subscription_error" ||
    frame.event === "pusher_internal:subscription_error"
  );
}
