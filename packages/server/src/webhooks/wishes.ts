import type { Endpoint } from "./endpoint.ts";
import type { WebhooksParts } from "./parts.ts";
import { redeliver, Unavailable } from "./redelivery.ts";
import type { WishRow } from "./wish-table.ts";

/** Grants what other processes have asked for, in the order in which they did. */
export class Wishes {
  readonly #parts: WebhooksParts;
  readonly #endpointOf: (appId: string, endpointId: string) => Endpoint | undefined;
  /** When it was looked last; a number that no file has before that. */
  #foreignWrites = -1;

  constructor(parts: WebhooksParts, endpointOf: (appId: string, endpointId: string) => Endpoint | undefined) {
    this.#parts = parts;
    this.#endpointOf = endpointOf;
  }

  /** Costs next to nothing where no other process has written since the last time. */
  async grant(): Promise<void> {
    const { store } = this.#parts;
    const writes = store.read((tables) => tables.foreignWrites());
    if (writes === undefined || writes === this.#foreignWrites) return;
    for (;;) {
      const wish = store.read((tables) => ({ next: tables.wishes.next() }));
      if (wish === undefined) return;
      if (wish.next === undefined) break;
      if (!(await this.#grant(wish.next))) return;
    }
    this.#foreignWrites = writes;
  }

  /** False where it must be tried again later. */
  async #grant({ id, appId, endpointId, wish }: WishRow): Promise<boolean> {
    const { store, log } = this.#parts;
    const endpoint = this.#endpointOf(appId, endpointId);
    if (endpoint === undefined) {
      const problem = `App ${appId} has no endpoint ${JSON.stringify(endpointId)}: see "earshot webhooks list".`;
      return store.write((tables) => tables.wishes.refuse(id, problem));
    }
    if (!endpoint.isReady) return false;
    try {
      await redeliver(endpoint, { id, wish });
    } catch (problem) {
      if (!(problem instanceof Unavailable)) endpoint.failed(problem);
      return false;
    }
    log.info({ app: appId, endpoint: endpointId, wish: wish.what }, "webhooks are delivered again");
    return true;
  }
}
