import type { Clock } from "#core/ports";

/** Where a connection leads. Only a request to the same target may use it. */
export interface Target {
  readonly protocol: "http:" | "https:";
  /** Name and port, as `Host` has them. */
  readonly host: string;
  /** The IP address that the name was found to lead to. */
  readonly address: string;
  /** Whom the certificate must name; undefined where that is the address. */
  readonly serverName: string | undefined;
}

/** A session of the runtime's that holds at most one connection, so that whose it is needs no trust in a common pool. */
export interface Connection {
  readonly key: string;
  readonly session: Bun.FetchSession;
  keptMs: number;
}

const IDLE_MS = 4_000; // ours: below the 5 s after which Node's servers hang up
const MAX_IDLE = 256; // ours: as many as 16 endpoints have lanes

/** Connections that wait for the next request to the same target. */
export class Connections {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #ca: { readonly ca?: string };
  /** The longest idle first. */
  readonly #idle = new Set<Connection>();

  /** @param ca PEM text: who vouches for receivers, in place of those whom the machine trusts */
  constructor(clock: Pick<Clock, "monotonicMs">, ca: string | undefined) {
    this.#clock = clock;
    this.#ca = ca === undefined ? {} : { ca };
  }

  /** One that is opened by its first request. */
  open(target: Target): Connection {
    const { serverName } = target;
    const session = new Bun.FetchSession({
      proxy: false,
      keepAlive: { idleTimeout: IDLE_MS / 1_000, maxIdleSockets: 1 },
      tls: { ...this.#ca, ...(serverName === undefined ? {} : { serverName }) },
    });
    return { key: keyOf(target), session, keptMs: 0 };
  }

  /** One that was kept. The receiver may have hung up in the meantime. */
  take(target: Target): Connection | undefined {
    this.#dropExpired();
    const key = keyOf(target);
    for (const connection of this.#idle) {
      if (connection.key !== key) continue;
      this.#idle.delete(connection);
      return connection;
    }
    return undefined;
  }

  keep(connection: Connection): void {
    connection.keptMs = this.#clock.monotonicMs();
    this.#idle.add(connection);
    for (const oldest of this.#idle) {
      if (this.#idle.size <= MAX_IDLE) break;
      this.#drop(oldest);
    }
  }

  /** Hangs up what is idle. */
  close(): void {
    for (const connection of this.#idle) this.#drop(connection);
  }

  /** Here, because the runtime's own timer may be 8 s late. */
  #dropExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const connection of this.#idle) {
      if (nowMs - connection.keptMs < IDLE_MS) break;
      this.#drop(connection);
    }
  }

  #drop(connection: Connection): void {
    this.#idle.delete(connection);
    connection.session.close();
  }
}

function keyOf({ protocol, host, address }: Target): string {
  return `${protocol}//${host} ${address}`;
}
