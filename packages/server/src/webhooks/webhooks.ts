import type { App } from "#core/app";
import type { OutboxEntry, WebhookProgress, WebhookStatus } from "#core/ports";
import { Endpoint } from "./endpoint.ts";
import type { EndpointRow } from "./endpoint-table.ts";
import { breathe, type WebhooksParts } from "./parts.ts";
import { Wishes } from "./wishes.ts";

const UNREADABLE_MS = 250; // ours: until the store is asked again
const UNFORGOTTEN_MS = 5_000; // ours: until it is tried again
const TEND_MS = 10_000; // ours: how often what is delivered and what is old is cleared away
const WISHES_MS = 500; // ours: how often other processes are listened to
const CLEAN_PAUSE_MS = 20; // ours: between two small steps
const STOP_GRACE_MS = 2_000; // ours: what is under way by then is repeated by the next process
const STOP_LOOK_MS = 20;
const TENDED_MS = 900_000; // ours: the outbox keeps delivered entries for 10 minutes, so after 15 nothing is left

/** Tells the endpoints of all apps what the outbox holds: each in its order, none waiting for another. */
export class Webhooks implements WebhookStatus {
  readonly #parts: WebhooksParts;
  /** By app, then by id. */
  readonly #endpoints = new Map<string, Map<string, Endpoint>>();
  /** By app: the newest version that is known to be committed. */
  readonly #heads = new Map<string, number>();
  /** By app: until when, by the monotonic clock, there may be something to clear away. */
  readonly #tendedMs = new Map<string, number>();
  readonly #waysOut: (() => void)[] = [];
  readonly #alarms = new Map<string, () => void>();
  /** What the store knew of endpoints at the start and nobody has taken up yet; undefined until it was read. */
  #known: EndpointRow[] | undefined;
  #isStopping = false;
  readonly #wishes: Wishes;

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
    this.#wishes = new Wishes(parts, (appId, endpointId) => this.#endpoints.get(appId)?.get(endpointId));
  }

  /**
   * The apps must be known by now: what is kept of an endpoint that no app has goes, and what is kept of apps that were
   * deleted while no server ran. Resolves when all endpoints are served.
   */
  async start(): Promise<void> {
    const { apps, outbox, store } = this.#parts;
    this.#waysOut.push(
      outbox.onCommitted((appId, entries) => this.#committed(appId, entries)),
      apps.onChange((appId, app) => void this.#follow(appId, app)),
    );
    const rows = await this.#endpointRows();
    const isGone = ({ appId, endpointId }: EndpointRow) => {
      const app = apps.byId(appId);
      return app === undefined ? apps.isGone(appId) : !app.webhooks.some(({ id }) => id === endpointId);
    };
    const { gone = [], left = [] } = Object.groupBy(rows, (row) => (isGone(row) ? "gone" : "left"));
    for (const { key } of gone) store.soon((tables) => tables.endpoints.setGone(key));
    this.#known = left;
    const begun = apps.all().map((app) => this.#follow(app.id, app));
    void this.#forgetDeleted();
    this.#again("tend", TEND_MS, () => this.#tend());
    this.#again("wishes", WISHES_MS, () => this.#wishes.grant());
    await Promise.all(begun);
  }

  /** Makes no more requests, waits shortly for those under way, and writes down how far it came. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const wayOut of this.#waysOut) wayOut();
    for (const cancel of this.#alarms.values()) cancel();
    const { clock, later, store } = this.#parts;
    const endMs = clock.monotonicMs() + STOP_GRACE_MS;
    const isSending = () => [...this.#all()].some(({ lanes }) => lanes.some((lane) => lane.isSending));
    while (isSending() && clock.monotonicMs() < endMs) await breathe(later, STOP_LOOK_MS);
    for (const endpoint of this.#all()) endpoint.close();
    store.flush();
  }

  progress(appId: string): readonly WebhookProgress[] {
    return [...(this.#endpoints.get(appId)?.values() ?? [])].map((endpoint) => endpoint.progress());
  }

  async #endpointRows(): Promise<EndpointRow[]> {
    const { store, later } = this.#parts;
    for (;;) {
      const rows = store.read((tables) => tables.endpoints.all());
      if (rows !== undefined || this.#isStopping) return rows?.filter(({ state }) => state !== "gone") ?? [];
      await breathe(later, UNREADABLE_MS);
    }
  }

  /** What the store knew of an endpoint at the start, to be asked for once. */
  #take(appId: string, endpointId: string): EndpointRow | undefined {
    const isIt = (row: EndpointRow) => row.appId === appId && row.endpointId === endpointId;
    const row = this.#known?.find(isIt);
    if (row !== undefined) this.#known = this.#known?.filter((one) => one !== row);
    return row;
  }

  /**
   * Apps that were deleted while no server ran. Where all that anything is known of are gone, it is rather the store that is
   * another one, and forgetting could not be taken back. Never rejects.
   */
  async #forgetDeleted(): Promise<void> {
    try {
      const remembered = await this.#parts.outbox.remembered();
      const gone = remembered.filter((appId) => this.#parts.apps.isGone(appId));
      if (gone.length < remembered.length) for (const appId of gone) await this.#forget(appId);
    } catch (problem) {
      this.#failed(problem);
    }
  }

  *#all(): Generator<Endpoint> {
    for (const ofApp of this.#endpoints.values()) yield* ofApp.values();
  }

  #committed(appId: string, entries: readonly OutboxEntry[]): void {
    this.#heads.set(appId, entries.at(-1)?.version ?? this.#headOf(appId));
    this.#tendedMs.set(appId, this.#parts.clock.monotonicMs() + TENDED_MS);
    for (const endpoint of this.#endpoints.get(appId)?.values() ?? []) {
      try {
        endpoint.committed(entries);
      } catch (problem) {
        endpoint.failed(problem); // a bug: it must not hurt whoever has committed
      }
    }
  }

  #headOf(appId: string): number {
    return this.#heads.get(appId) ?? 0;
  }

  /** Never rejects. */
  async #follow(appId: string, app: App | undefined): Promise<void> {
    try {
      await this.#changed(appId, app);
    } catch (problem) {
      this.#failed(problem, appId);
    }
  }

  #failed(problem: unknown, appId?: string): void {
    const why = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    this.#parts.log.error({ app: appId, problem: why }, "a step of the webhooks failed");
  }

  /** An app was found, changed or deleted. Resolves when its endpoints are served as they are now. */
  async #changed(appId: string, app: App | undefined): Promise<void> {
    if (this.#known === undefined) return; // `start` will see it
    if (app === undefined) return this.#deleted(appId);
    if (!this.#heads.has(appId)) await this.#find(appId);
    if (this.#isStopping) return;
    const now = this.#parts.apps.byId(appId); // it may have changed meanwhile
    if (now === undefined) return this.#deleted(appId);
    const known = this.#endpoints.get(appId) ?? new Map<string, Endpoint>();
    this.#endpoints.set(appId, known);
    const work: Promise<void>[] = [];
    for (const [id, endpoint] of known) {
      if (now.webhooks.some((one) => one.id === id)) continue;
      known.delete(id);
      endpoint.remove();
    }
    for (const webhook of now.webhooks) {
      const found = known.get(webhook.id);
      if (found !== undefined) {
        work.push(found.change(now, webhook));
        continue;
      }
      const endpoint = new Endpoint(this.#parts, now, webhook, {
        head: () => this.#headOf(appId),
        isStopping: () => this.#isStopping,
      });
      known.set(webhook.id, endpoint);
      work.push(endpoint.begin(this.#take(appId, webhook.id)));
    }
    await Promise.all(work);
  }

  /** Learns how far an app's outbox has come. */
  async #find(appId: string): Promise<void> {
    const { outbox, later } = this.#parts;
    let position: number | undefined;
    while (position === undefined && !this.#isStopping) {
      try {
        position = await outbox.position(appId);
      } catch (problem) {
        this.#failed(problem, appId);
        await breathe(later, UNREADABLE_MS);
      }
    }
    this.#heads.set(appId, Math.max(position ?? 0, this.#headOf(appId)));
    this.#tendedMs.set(appId, this.#parts.clock.monotonicMs() + TENDED_MS);
  }

  async #deleted(appId: string): Promise<void> {
    for (const endpoint of this.#endpoints.get(appId)?.values() ?? []) endpoint.remove();
    this.#endpoints.delete(appId);
    this.#heads.delete(appId);
    this.#tendedMs.delete(appId);
    await this.#forget(appId);
  }

  /** Tries until it is done, or an app of that id is there again. */
  async #forget(appId: string): Promise<void> {
    const { apps, outbox, later } = this.#parts;
    for (let failures = 0; apps.byId(appId) === undefined && !this.#isStopping; failures++) {
      try {
        await outbox.forget(appId);
        return;
      } catch (problem) {
        if (failures === 0) this.#failed(problem, appId);
        await breathe(later, UNFORGOTTEN_MS);
      }
    }
  }

  /** Tells the outbox what nobody waits for any more, and deletes here what is old. */
  async #tend(): Promise<void> {
    const { store, clock, later } = this.#parts;
    for (const appId of [...this.#tendedMs.keys()]) {
      if (this.#isStopping) return;
      try {
        await this.#tendApp(appId);
      } catch (problem) {
        this.#failed(problem, appId);
      }
      await breathe(later);
    }
    while (!this.#isStopping && store.clean(clock.wallMs())) await breathe(later, CLEAN_PAUSE_MS);
  }

  async #tendApp(appId: string): Promise<void> {
    const { store, outbox, clock } = this.#parts;
    const head = this.#headOf(appId);
    const untilMs = this.#tendedMs.get(appId) ?? 0;
    let lowest = head;
    for (const endpoint of this.#endpoints.get(appId)?.values() ?? []) {
      const position = endpoint.settle(head);
      if (position === undefined) return; // it is not known yet what it waits for
      lowest = Math.min(lowest, position);
    }
    if (!store.flush()) return; // only what is written down may go: after a crash it is read from there on
    await outbox.trim(appId, lowest);
    const isQuiet = clock.monotonicMs() > untilMs && untilMs === this.#tendedMs.get(appId);
    if (isQuiet && lowest === head) this.#tendedMs.delete(appId);
  }

  /** Until it is stopped; never twice at the same time. */
  #again(what: string, everyMs: number, act: () => Promise<void>): void {
    const cancel = this.#parts.later(everyMs, () => {
      act()
        .catch((problem) => this.#failed(problem))
        .finally(() => {
          if (!this.#isStopping) this.#again(what, everyMs, act);
        });
    });
    this.#alarms.set(what, cancel);
  }
}
