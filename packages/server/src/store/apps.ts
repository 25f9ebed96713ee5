/** The administration of apps. Every change is checked by the core, and shows in every process within about a second. */
import { randomBytes, randomInt } from "node:crypto";
import type { LimitName } from "@earshot/protocol/limits";
import {
  type App,
  type AppDraft,
  type AppFeatures,
  type AppKey,
  checkLimit,
  checkLimitName,
  makeApp,
  type Quota,
} from "#core/app";
import {
  countChange,
  deleteApp,
  insertApp,
  insertKey,
  markRevoked,
  readApp,
  readApps,
  readKeyOwner,
  type StoredApp,
  updateApp,
} from "./app-rows.ts";
import { Refused } from "./refused.ts";
import type { Database, Sql } from "./sql.ts";

/** What a person may change. What is left out stays as it is. */
export interface AppChange {
  readonly name?: string;
  readonly enabled?: boolean;
  readonly tlsOnly?: boolean;
  /** Names and values as a person wrote them; `undefined` as the value returns to the default. */
  readonly limits?: ReadonlyMap<string, number | undefined>;
  readonly features?: Readonly<Partial<AppFeatures>>;
  readonly allowedOrigins?: readonly string[];
  /** All of them. */
  readonly quotas?: readonly Quota[];
}

export type Ensured = "made" | "key added" | "there already" | "key is revoked";

/**
 * Mistakes of a person come out as Refused or InvalidApp, with one line that says what to do; a database that cannot
 * be used as DatabaseProblem.
 */
export class Apps {
  readonly #database: Database;
  readonly #wallMs: () => number;

  constructor(database: Database, wallMs: () => number = Date.now) {
    this.#database = database;
    this.#wallMs = wallMs;
  }

  /** Oldest first. */
  list(): Promise<readonly App[]> {
    return this.#database.read(async (sql) => (await readApps(sql)).map(makeApp));
  }

  show(id: string): Promise<App> {
    return this.#database.read(async (sql) => makeApp(await existingApp(sql, id)));
  }

  /** With a generated id, key and secret. */
  create(change: AppChange = {}): Promise<App> {
    return this.#change(async (sql) => {
      let id = generateId();
      while ((await readApp(sql, id)) !== undefined) id = generateId();
      return await this.#insert(sql, { id, keys: [generatePair(this.#wallMs())] }, change);
    });
  }

  update(id: string, change: AppChange): Promise<App> {
    return this.#change(async (sql) => {
      const draft = changed(await existingApp(sql, id), change);
      const app = makeApp(draft);
      await updateApp(sql, app, draft.limits ?? {});
      return app;
    });
  }

  /** Adds a pair; the pairs before it stay active until they are revoked. */
  rotateKey(id: string): Promise<{ readonly app: App; readonly pair: AppKey }> {
    return this.#change(async (sql) => {
      const stored = await existingApp(sql, id);
      const pair = generatePair(this.#keyTime(stored));
      await insertKey(sql, id, pair);
      return { app: makeApp({ ...stored, keys: [...stored.keys, pair] }), pair };
    });
  }

  /** Nothing changes for a key that is revoked already. The last active key goes only with `force`. */
  revokeKey(id: string, key: string, force = false): Promise<App> {
    return this.#change(async (sql) => {
      const stored = await existingApp(sql, id);
      const pair = stored.keys.find((one) => one.key === key);
      if (pair === undefined) {
        throw new Refused(`App ${id} has no key ${JSON.stringify(key)}: see "earshot apps show ${id}".`);
      }
      const others = stored.keys.filter((one) => one !== pair && !one.revoked);
      if (!pair.revoked && others.length === 0 && !force) {
        throw new Refused(
          `${key} is the last active key of app ${id}, nobody could use the app without it: make another first ("earshot apps rotate-key ${id}"), or revoke it with --force.`,
        );
      }
      await markRevoked(sql, key);
      return makeApp({
        ...stored,
        keys: stored.keys.map((one) => (one === pair ? { ...one, revoked: true } : one)),
      });
    });
  }

  delete(id: string): Promise<void> {
    return this.#change(async (sql) => {
      await existingApp(sql, id);
      await deleteApp(sql, id);
    });
  }

  /**
   * Sees to it that there is an app of this id that knows this pair. A key that was revoked stays revoked.
   *
   * @throws Refused where the key has another secret, or belongs to another app
   */
  async ensure(given: {
    readonly id: string;
    readonly key: string;
    readonly secret: string;
  }): Promise<Ensured> {
    const before = await this.#database.read((sql) => this.#ensured(sql, given));
    if (before !== undefined) return before;
    return await this.#change(async (sql) => {
      const meanwhile = await this.#ensured(sql, given);
      if (meanwhile !== undefined) return meanwhile;
      const stored = await readApp(sql, given.id);
      const pair = { key: given.key, secret: given.secret, revoked: false };
      if (stored === undefined) {
        await this.#insert(sql, { id: given.id, keys: [{ ...pair, createdMs: this.#wallMs() }] }, {});
        return "made";
      }
      const added = { ...pair, createdMs: this.#keyTime(stored) };
      makeApp({ ...stored, keys: [...stored.keys, added] });
      await insertKey(sql, given.id, added);
      return "key added";
    });
  }

  /** What there is about a given pair, or undefined where something is to be made. */
  async #ensured(
    sql: Sql,
    given: { readonly id: string; readonly key: string; readonly secret: string },
  ): Promise<Ensured | undefined> {
    const owner = await readKeyOwner(sql, given.key);
    if (owner === undefined) return undefined;
    if (owner !== given.id) {
      throw new Refused(
        `Key ${given.key} belongs to app ${owner}, not to app ${given.id}: give app ${given.id} a key of its own.`,
      );
    }
    const pair = (await existingApp(sql, given.id)).keys.find((one) => one.key === given.key);
    if (pair?.secret !== given.secret) {
      throw new Refused(
        `App ${given.id} knows key ${given.key} with another secret: give the secret that "earshot apps show ${given.id} --secrets" prints, or a new key.`,
      );
    }
    return pair.revoked ? "key is revoked" : "there already";
  }

  async #insert(sql: Sql, start: AppDraft, change: AppChange): Promise<App> {
    const draft = changed(start, change);
    const app = makeApp({ ...draft, createdMs: await this.#appTime(sql) });
    await insertApp(sql, app, draft.limits ?? {});
    return app;
  }

  async #change<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return await this.#database.write(async (sql) => {
      const result = await work(sql);
      await countChange(sql);
      return result;
    });
  }

  /** Later than every key of the app, also when the clock was set back: the order tells which is the oldest. */
  #keyTime(stored: StoredApp): number {
    return Math.max(this.#wallMs(), ...stored.keys.map((pair) => pair.createdMs + 1));
  }

  async #appTime(sql: Sql): Promise<number> {
    const apps = await readApps(sql);
    return Math.max(this.#wallMs(), ...apps.map((app) => app.createdMs + 1));
  }
}

/** @throws Refused where there is none */
export async function existingApp(sql: Sql, id: string): Promise<StoredApp> {
  const stored = await readApp(sql, id);
  if (stored !== undefined) return stored;
  throw new Refused(`There is no app ${JSON.stringify(id)}: see "earshot apps list".`);
}

function changed(before: AppDraft, change: AppChange): AppDraft {
  const limits: Partial<Record<LimitName, number>> = { ...before.limits };
  for (const [name, value] of change.limits ?? []) {
    const known = checkLimitName(name);
    if (value === undefined) delete limits[known];
    else limits[known] = checkLimit(known, value);
  }
  return {
    ...before,
    limits,
    features: { ...before.features, ...change.features },
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.enabled === undefined ? {} : { enabled: change.enabled }),
    ...(change.tlsOnly === undefined ? {} : { tlsOnly: change.tlsOnly }),
    ...(change.allowedOrigins === undefined ? {} : { allowedOrigins: change.allowedOrigins }),
    ...(change.quotas === undefined ? {} : { quotas: change.quotas }),
  };
}

/** Digits only: some libraries insist on it. */
function generateId(): string {
  return String(randomInt(100_000, 10_000_000));
}

/** The key as on the hosted service: 20 lower-case hex digits. The secret has 160 bits. */
function generatePair(createdMs: number): AppKey {
  return {
    key: randomBytes(10).toString("hex"),
    secret: randomBytes(20).toString("hex"),
    createdMs,
    revoked: false,
  };
}
