import type { Server, ServerWebSocket } from "bun";
import type { Socket, Topics } from "#core/ports";

/** The part of the runtime's server that fans out. */
export type NativeServer = Pick<Server<unknown>, "publish" | "subscriberCount">;

/** Fan-out to those who are no sockets of the runtime. */
export type Companion = Topics & { readonly isEmpty: boolean };

/**
 * The runtime's own fan-out: one call a channel, no loop over sockets. There is one native server, and for a while a
 * second one where the certificate has changed and clients of the old listener are still connected.
 */
export class NativeTopics implements Topics {
  #servers: readonly NativeServer[] = [];
  #ownerOf: (socket: Socket) => NativeServer | undefined = () => undefined;
  readonly #companion: Companion | undefined;

  constructor(companion?: Companion) {
    this.#companion = companion;
  }

  /** @param ownerOf the server that a socket was accepted by; only asked where there are several */
  use(servers: readonly NativeServer[], ownerOf: (socket: Socket) => NativeServer | undefined): void {
    this.#servers = servers;
    this.#ownerOf = ownerOf;
  }

  publish(topic: string, frame: string, except?: Socket): number {
    const due = this.#publishNative(topic, frame, except);
    const companion = this.#companion;
    return companion === undefined || companion.isEmpty ? due : due + companion.publish(topic, frame, except);
  }

  #publishNative(topic: string, frame: string, except: Socket | undefined): number {
    const only = this.#servers.length === 1 ? this.#servers[0] : undefined;
    if (only !== undefined) return publishOn(only, topic, frame, except);
    const owner = except === undefined ? undefined : this.#ownerOf(except);
    let due = 0;
    for (const server of this.#servers)
      due += publishOn(server, topic, frame, server === owner ? except : undefined);
    return due;
  }
}

function publishOn(server: NativeServer, topic: string, frame: string, except: Socket | undefined): number {
  const subscribers = server.subscriberCount(topic);
  if (subscribers === 0) return 0;
  if (!isNative(except)) {
    server.publish(topic, frame);
    return subscribers;
  }
  const isSubscriber = except.isSubscribed(topic);
  except.publish(topic, frame); // the runtime leaves out the socket that publishes
  return isSubscriber ? subscribers - 1 : subscribers;
}

function isNative(socket: Socket | undefined): socket is ServerWebSocket<unknown> {
  return socket !== undefined && "isSubscribed" in socket;
}
