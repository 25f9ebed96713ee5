/** The apps in memory, kept as the database has them. */
import { type App, type AppKey, InvalidApp, makeApp } from "#core/app";
import type { AppStore } from "#core/ports";
import type { Log } from "#observe/log";
import { changeCount, readApps, type StoredApp } from "./app-rows.ts";
import { type Database, DatabaseProblem } from "./sql.ts";

export interface AppDirectoryOptions {
  readonly database: Database;
  readonly refreshMs: number;
  readonly log: Log;
}

interface KeyHolder {
  readonly app: App;
  readonly pair: AppKey;
}

/**
 * Asks the database every `refreshMs` whether anything changed, and reads the apps when it did. While the database is
 * away, the apps stay as they were last known.
 */
export class AppDirectory implements AppStore {
  readonly #database: Database;
  readonly #refreshMs: number;
  readonly #log: Log;
  readonly #listeners = new Set<(appId: string, app: App | undefined) => void>();
  #apps: ReadonlyMap<string, App> = new Map();
  #keys: ReadonlyMap<string, KeyHolder> = new Map();
  /** Of all rows that were read, also of those that are not valid. */
  #storedIds: ReadonlySet<string> = new Set();
  #changes = -1;
  #away = false;
  #refreshing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  private constructor({ database, refreshMs, log }: AppDirectoryOptions) {
    this.#database = database;
    this.#refreshMs = refreshMs;
    this.#log = log;
  }

  /** @throws DatabaseProblem where the apps cannot be read for the first time */
  static async start(options: AppDirectoryOptions): Promise<AppDirectory> {
    const directory = new AppDirectory(options);
    await directory.#read();
    directory.#schedule();
    return directory;
  }

  byId(id: string): App | undefined {
    return this.#apps.get(id);
  }

  byKey(key: string): KeyHolder | undefined {
    return this.#keys.get(key);
  }

  all(): readonly App[] {
    return [...this.#apps.values()];
  }

  isGone(id: string): boolean {
    return !this.#away && this.#storedIds.size > 0 && !this.#storedIds.has(id);
  }

  onChange(listener: (appId: string, app: App | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether the last question was answered: false while the database is away. */
  get isCurrent(): boolean {
    return !this.#away;
  }

  /** Takes up changes now. Never fails: a database that is away is logged once. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#tryRead().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Resolves when the database is no longer asked, so that it can be closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#refreshing;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      void this.refresh().then(() => this.#schedule());
    }, this.#refreshMs);
  }

  async #tryRead(): Promise<void> {
    try {
      await this.#read();
      if (this.#away) this.#log.info({ apps: this.#apps.size }, "the database answers again");
      this.#away = false;
    } catch (error) {
      if (!this.#away) {
        const problem = error instanceof DatabaseProblem ? error.message : error;
        this.#log.error({ problem }, "apps cannot be read from the database; those last known stay in force");
      }
      this.#away = true;
    }
  }

  async #read(): Promise<void> {
    const news = await this.#database.read(async (sql) => {
      const changes = await changeCount(sql);
      return changes === this.#changes ? undefined : { changes, stored: await readApps(sql) };
    });
    if (news === undefined) return;
    const before = this.#apps;
    this.#apps = this.#make(news.stored);
    this.#storedIds = new Set(news.stored.map(({ id }) => id));
    this.#keys = new Map(
      [...this.#apps.values()].flatMap((app) => app.keys.map((pair) => [pair.key, { app, pair }] as const)),
    );
    this.#changes = news.changes;
    this.#tell(before);
  }

  /** An app that has not changed stays the same object. One that cannot be made stays as it was. */
  #make(stored: readonly StoredApp[]): Map<string, App> {
    const apps = new Map<string, App>();
    for (const draft of stored) {
      const known = this.#apps.get(draft.id);
      try {
        const app = makeApp(draft);
        apps.set(app.id, known !== undefined && Bun.deepEquals(app, known) ? known : app);
      } catch (error) {
        if (!(error instanceof InvalidApp)) throw error;
        this.#log.error(
          { app: draft.id, problem: error.message },
          "an app in the database is not valid and is not taken up",
        );
        if (known !== undefined) apps.set(draft.id, known);
      }
    }
    return apps;
  }

  #tell(before: ReadonlyMap<string, App>): void {
    for (const id of new Set([...before.keys(), ...this.#apps.keys()])) {
      const app = this.#apps.get(id);
      if (app === before.get(id)) continue;
      for (const listener of this.#listeners) {
        try {
          listener(id, app);
        } catch (error) {
          this.#log.error({ app: id, problem: error }, "a listener for changed apps failed");
        }
      }
    }
  }
}
