import { type Bus, type Socket, type Topics, topicOf } from "#core/ports";

/** The bus of a single process: what is published here has its subscribers here. */
export class LocalBus implements Bus {
  readonly #topics: Topics;
  readonly #findSocket: (appId: string, socketId: string) => Socket | undefined;
  readonly #delivered: (appId: string, frames: number) => void;

  constructor(parts: {
    topics: Topics;
    findSocket: (appId: string, socketId: string) => Socket | undefined;
    /** Told how many subscribers each frame was due to. */
    delivered: (appId: string, frames: number) => void;
  }) {
    this.#topics = parts.topics;
    this.#findSocket = parts.findSocket;
    this.#delivered = parts.delivered;
  }

  publish(appId: string, channel: string, frame: string, exceptSocketId?: string): void {
    const except = exceptSocketId === undefined ? undefined : this.#findSocket(appId, exceptSocketId);
    this.#delivered(appId, this.#topics.publish(topicOf(appId, channel), frame, except));
  }
}
