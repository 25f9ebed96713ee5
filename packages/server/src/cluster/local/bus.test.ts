import type { Socket } from "#core/ports";
import { type BusListener, busConformance } from "../conformance/bus.ts";
import { LocalBus } from "./bus.ts";

/** A subscriber of one topic. */
class Listener implements Socket, BusListener {
  readonly frames: string[] = [];
  readonly appId: string;
  readonly topic: string;
  readonly socketId: string;

  constructor(appId: string, topic: string, socketId: string) {
    this.appId = appId;
    this.topic = topic;
    this.socketId = socketId;
  }

  send(frame: string): void {
    this.frames.push(frame);
  }

  subscribe(): void {}
  unsubscribe(): void {}
  ping(): void {}
  close(): void {}
  terminate(): void {}
}

busConformance("in one process", () => {
  const listeners: Listener[] = [];
  let delivered = 0;
  const bus = new LocalBus({
    topics: {
      publish: (topic, frame, except) => {
        const due = listeners.filter((listener) => listener.topic === topic && listener !== except);
        for (const listener of due) listener.send(frame);
        return due.length;
      },
    },
    findSocket: (appId, socketId) =>
      listeners.find((listener) => listener.appId === appId && listener.socketId === socketId),
    delivered: (_appId, frames) => {
      delivered += frames;
    },
  });
  return {
    bus,
    listen: (appId, channel) => {
      const listener = new Listener(appId, `${appId}/${channel}`, `${listeners.length}.1`);
      listeners.push(listener);
      return listener;
    },
    settle: async () => {},
    delivered: () => delivered,
  };
});
