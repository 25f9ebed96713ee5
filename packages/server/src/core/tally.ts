import type { ErrorName } from "@earshot/protocol/errors";

/** What happened to one app since the process started. Plain numbers, because some are counted for every message. */
export class AppTally {
  /** Connections that are open now. */
  connections = 0;
  connectionsOpened = 0;
  /** Subscriptions that exist now. */
  subscriptions = 0;
  /** Users who are signed in on this process now. */
  signedInUsers = 0;
  /** Messages from clients, whatever they held. */
  messagesReceived = 0;
  /** Events published, one for each channel: by the API, and by clients. */
  apiMessages = 0;
  clientMessages = 0;
  /** Frames that were due to subscribers of this process. */
  deliveries = 0;
  /** Requests by endpoint, then by status. */
  readonly apiRequests = new Map<string, Map<number, number>>();
  readonly refusals = new Map<ErrorName, number>();

  refused(reason: ErrorName): void {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
  }

  requested(endpoint: string, status: number): void {
    let byStatus = this.apiRequests.get(endpoint);
    if (byStatus === undefined) {
      byStatus = new Map();
      this.apiRequests.set(endpoint, byStatus);
    }
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }
}

/** One tally an app. What belongs to no app (an unknown key) is counted under the empty id. */
export class Tallies {
  readonly #byApp = new Map<string, AppTally>();

  of(appId: string): AppTally {
    const found = this.#byApp.get(appId);
    if (found !== undefined) return found;
    const tally = new AppTally();
    this.#byApp.set(appId, tally);
    return tally;
  }

  all(): IterableIterator<[string, AppTally]> {
    return this.#byApp.entries();
  }
}
