import type { Digest } from "@earshot/protocol/signature";
import type { WebhookEvent } from "@earshot/protocol/webhook";
import type { App, WebhookEndpoint } from "#core/app";
import type { AppStore, Chance, Clock, Outbox } from "#core/ports";
import type { Log } from "#observe/log";
import type { DeadReason } from "./delivery-log.ts";
import type { DeliveryStore } from "./delivery-store.ts";
import type { SendResult, WebhookRequest } from "./sender.ts";

export interface WebhookSettings {
  /** From the beginning of one request to that of the next of a lane, unless a whole batch waits. */
  readonly paceMs: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  readonly poisonMs: number;
  readonly giveUpMs: number;
  readonly maxWaiting: number;
}

/** What webhooks are made of. */
export interface WebhooksParts {
  readonly apps: AppStore;
  readonly outbox: Outbox;
  readonly store: DeliveryStore;
  readonly send: (request: WebhookRequest) => Promise<SendResult>;
  readonly digest: Digest;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Returns the way out. */
  readonly later: (ms: number, act: () => void) => () => void;
  /** Soon, and not together with anything else that was asked for. */
  readonly inTurn: (act: () => void) => void;
  readonly settings: WebhookSettings;
  /** What we call ourselves, such as `Earshot/1.0.0`. */
  readonly userAgent: string;
  readonly log: Log;
}

/** What has happened to one endpoint's events since the process started; dead letters are those that exist. */
export interface EndpointTally {
  delivered: number;
  failedAttempts: number;
  collapsed: number;
  deadLetters: number;
}

/** What a lane sees of its endpoint. */
export interface LaneHost {
  readonly parts: WebhooksParts;
  /** That stands for the endpoint in the store. */
  readonly key: number;
  readonly app: App;
  readonly endpoint: WebhookEndpoint;
  readonly tally: EndpointTally;
  /** Requests may be made now. */
  readonly isOpen: boolean;
  wants(event: WebhookEvent): boolean;
  /** A lane has arrived with a batch. */
  arrived(lane: number): void;
  /** Whether another lane has, at a time of the monotonic clock or later. */
  othersArrivedSince(lane: number, sinceMs: number): boolean;
  /** Events have died. */
  buried(count: number, reason: DeadReason, deliveryId: string | undefined, problem: string): void;
  /** Steps that failed and should not have. */
  failed(problem: unknown): void;
}

/** Lets everything else have its turn. */
export function breathe(later: WebhooksParts["later"], ms = 0): Promise<void> {
  return new Promise((resolve) => {
    later(ms, resolve);
  });
}
