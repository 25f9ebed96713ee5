import type { Socket } from "#core/ports";
import { type Line, messageLine } from "./line.ts";

/** A socket that takes lines which were written for many. */
export interface LineSocket extends Socket {
  deliver(line: Line): void;
}

/** The fan-out to fallback sessions, beside the runtime's own to WebSockets. */
export class FallbackTopics {
  readonly #subscribers = new Map<string, Set<LineSocket>>();

  get isEmpty(): boolean {
    return this.#subscribers.size === 0;
  }

  subscribe(topic: string, socket: LineSocket): void {
    const found = this.#subscribers.get(topic);
    if (found === undefined) this.#subscribers.set(topic, new Set([socket]));
    else found.add(socket);
  }

  unsubscribe(topic: string, socket: LineSocket): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers?.delete(socket) && subscribers.size === 0) this.#subscribers.delete(topic);
  }

  /** Returns how many subscribers the frame was due to. */
  publish(topic: string, frame: string, except?: Socket): number {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers === undefined) return 0;
    const line = messageLine(frame);
    let due = 0;
    for (const socket of subscribers) {
      if (socket === except) continue;
      socket.deliver(line);
      due++;
    }
    return due;
  }
}
