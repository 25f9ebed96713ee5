import { Signature } from "./signature.ts";
import { type Inbox, Subscriber } from "./subscriber.ts";
import type { Target } from "./target.ts";

export interface GatherReport {
  readonly listening: number;
  readonly failed: number;
  /** The first failure's own words. */
  readonly firstFailure: string | undefined;
  readonly wallMs: number;
}

interface Gathering {
  readonly channelOf: (index: number) => string;
  readonly count: number;
  /** Clients that are between connect and subscription at one time. */
  readonly concurrency: number;
  readonly newInbox: (subscriber: Subscriber, index: number) => Inbox;
}

/** Ends a gathering whose server answers no more. */
const SILENCE_MS = 20_000;

/** All subscribers of a run. */
export class Crowd {
  readonly #target: Target;
  readonly #signature: Signature;
  readonly #listening = new Set<Subscriber>();
  /** Subscribers whose connection the server ended since the last gathering. */
  lost = 0;

  constructor(target: Target) {
    this.#target = target;
    this.#signature = new Signature(target.secret);
  }

  get size(): number {
    return this.#listening.size;
  }

  gather(plan: Gathering): Promise<GatherReport> {
    this.lost = 0;
    return new Promise((resolve) => {
      const startedMs = performance.now();
      let started = 0;
      let listening = 0;
      let failed = 0;
      let firstFailure: string | undefined;
      let lastAtMs = startedMs;

      const finish = (): void => {
        clearInterval(watch);
        resolve({ listening, failed, firstFailure, wallMs: lastAtMs - startedMs });
      };
      const watch = setInterval(() => {
        if (performance.now() - lastAtMs < SILENCE_MS) return;
        firstFailure ??= `the server was silent for ${SILENCE_MS / 1000} s`;
        failed = plan.count - listening;
        finish();
      }, 1000);
      const next = (): void => {
        lastAtMs = performance.now();
        if (listening + failed === plan.count) finish();
        else if (started < plan.count) this.#start(plan, started++, events);
      };
      const events = {
        listening: (subscriber: Subscriber) => {
          this.#listening.add(subscriber);
          listening++;
          next();
        },
        failed: (_subscriber: Subscriber, why: string) => {
          firstFailure ??= why;
          failed++;
          next();
        },
        lost: (subscriber: Subscriber) => {
          if (this.#listening.delete(subscriber)) this.lost++;
        },
      };
      while (started < Math.min(plan.concurrency, plan.count)) this.#start(plan, started++, events);
    });
  }

  disperse(): void {
    for (const subscriber of this.#listening) subscriber.leave();
    this.#listening.clear();
  }

  #start(
    plan: Gathering,
    index: number,
    events: ConstructorParameters<typeof Subscriber>[0]["events"],
  ): void {
    const { hosts } = this.#target;
    const subscriber = new Subscriber({
      target: this.#target,
      signature: this.#signature,
      channel: plan.channelOf(index),
      events,
      newInbox: (self) => plan.newInbox(self, index),
    });
    Bun.connect<Subscriber>({
      hostname: hosts[index % hosts.length] ?? hosts[0],
      port: this.#target.port,
      data: subscriber,
      socket: HANDLERS,
    }).catch((reason: unknown) => subscriber.unreachable(`cannot connect: ${reason}`));
  }
}

/** Shared by all connections, which is what keeps the client small. */
const HANDLERS = {
  open(socket: Bun.Socket<Subscriber>): void {
    socket.setNoDelay(true);
    socket.data.opened(socket);
  },
  data(socket: Bun.Socket<Subscriber>, chunk: Uint8Array): void {
    socket.data.received(chunk);
  },
  close(socket: Bun.Socket<Subscriber>): void {
    socket.data.ended();
  },
  error(socket: Bun.Socket<Subscriber>, error: Error): void {
    socket.data.unreachable(error.message);
  },
};
