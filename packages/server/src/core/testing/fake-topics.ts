import type { Socket, Topics } from "#core/ports";

/** How a fake connection was ended from the server's side. */
export type Goodbye = { readonly code: number; readonly reason: string } | "terminated";

/** A connection that keeps what it was sent. */
export class FakeSocket implements Socket {
  readonly frames: string[] = [];
  readonly topics = new Set<string>();
  pings = 0;
  goodbye: Goodbye | undefined;
  readonly #fanOut: FakeTopics;
  #taken = 0;

  constructor(fanOut: FakeTopics) {
    this.#fanOut = fanOut;
  }

  send(frame: string): void {
    if (this.goodbye === undefined) this.frames.push(frame);
  }

  subscribe(topic: string): void {
    if (this.goodbye !== undefined) return;
    this.topics.add(topic);
    this.#fanOut.subscribersOf(topic).add(this);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
    this.#fanOut.forget(topic, this);
  }

  ping(): void {
    if (this.goodbye === undefined) this.pings++;
  }

  close(code: number, reason: string): void {
    this.#end({ code, reason });
  }

  terminate(): void {
    this.#end("terminated");
  }

  /** The frames that came since the last look. */
  take(): string[] {
    const fresh = this.frames.slice(this.#taken);
    this.#taken = this.frames.length;
    return fresh;
  }

  #end(goodbye: Goodbye): void {
    this.goodbye ??= goodbye;
    for (const topic of [...this.topics]) this.unsubscribe(topic);
  }
}

/** Fan-out over fake sockets. */
export class FakeTopics implements Topics {
  readonly #subscribers = new Map<string, Set<FakeSocket>>();

  publish(topic: string, frame: string, except?: Socket): number {
    let due = 0;
    for (const socket of this.#subscribers.get(topic) ?? []) {
      if (socket === except) continue;
      socket.send(frame);
      due++;
    }
    return due;
  }

  subscribersOf(topic: string): Set<FakeSocket> {
    const found = this.#subscribers.get(topic);
    if (found !== undefined) return found;
    const subscribers = new Set<FakeSocket>();
    this.#subscribers.set(topic, subscribers);
    return subscribers;
  }

  forget(topic: string, socket: FakeSocket): void {
    const subscribers = this.#subscribers.get(topic);
    subscribers?.delete(socket);
    if (subscribers?.size === 0) this.#subscribers.delete(topic);
  }

  /** Topics that somebody is subscribed to. */
  get occupied(): string[] {
    return [...this.#subscribers.keys()];
  }
}
