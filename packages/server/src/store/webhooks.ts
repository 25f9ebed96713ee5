/** The administration of webhook endpoints. Every change is checked by the core, and shows in every process within about a second. */
import { randomBytes } from "node:crypto";
import { makeApp, type WebhookEndpoint } from "#core/app";
import { countChange, type StoredApp } from "./app-rows.ts";
import { existingApp } from "./apps.ts";
import { Refused } from "./refused.ts";
import type { Database, Sql } from "./sql.ts";
import { deleteWebhook, insertWebhook, updateWebhook } from "./webhook-rows.ts";

/** What a person may set. */
export type WebhookDraft = Omit<WebhookEndpoint, "id" | "createdMs">;

/** Mistakes of a person come out as Refused or InvalidApp, a database that cannot be used as DatabaseProblem. */
export class Webhooks {
  readonly #database: Database;
  readonly #wallMs: () => number;

  constructor(database: Database, wallMs: () => number = Date.now) {
    this.#database = database;
    this.#wallMs = wallMs;
  }

  /** With a generated id. */
  add(appId: string, draft: WebhookDraft): Promise<WebhookEndpoint> {
    return this.#change(appId, async (sql, stored) => {
      const endpoint = { ...draft, id: generateId(), createdMs: this.#timeFor(stored) };
      const added = checked(stored, [...stored.webhooks, endpoint], endpoint.id);
      await insertWebhook(sql, appId, added);
      return added;
    });
  }

  /** What is left out stays as it is. */
  update(appId: string, id: string, change: Partial<WebhookDraft>): Promise<WebhookEndpoint> {
    return this.#change(appId, async (sql, stored) => {
      const before = existingEndpoint(stored, id);
      const after = stored.webhooks.map((one) => (one === before ? { ...one, ...change } : one));
      const updated = checked(stored, after, id);
      await updateWebhook(sql, updated);
      return updated;
    });
  }

  remove(appId: string, id: string): Promise<void> {
    return this.#change(appId, async (sql, stored) => {
      await deleteWebhook(sql, existingEndpoint(stored, id).id);
    });
  }

  async #change<T>(appId: string, work: (sql: Sql, stored: StoredApp) => Promise<T>): Promise<T> {
    return await this.#database.write(async (sql) => {
      const result = await work(sql, await existingApp(sql, appId));
      await countChange(sql);
      return result;
    });
  }

  /** Later than every endpoint of the app, also when the clock was set back: they are listed in this order. */
  #timeFor(stored: StoredApp): number {
    return Math.max(this.#wallMs(), ...stored.webhooks.map((endpoint) => endpoint.createdMs + 1));
  }
}

/** The endpoint `id` as the core takes it, among all of its app. */
function checked(stored: StoredApp, webhooks: readonly WebhookEndpoint[], id: string): WebhookEndpoint {
  return existingEndpoint(makeApp({ ...stored, webhooks }), id);
}

function existingEndpoint(
  app: { readonly id: string; readonly webhooks: readonly WebhookEndpoint[] },
  id: string,
): WebhookEndpoint {
  const endpoint = app.webhooks.find((one) => one.id === id);
  if (endpoint !== undefined) return endpoint;
  throw new Refused(
    `App ${app.id} has no webhook endpoint ${JSON.stringify(id)}: see "earshot webhooks list --app ${app.id}".`,
  );
}

/** Nothing about it can be guessed, and no two apps share one. */
function generateId(): string {
  return randomBytes(8).toString("hex");
}
