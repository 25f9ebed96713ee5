import { type App, type AppDraft, type AppKey, makeApp } from "#core/app";
import type { AppStore } from "#core/ports";

type Listener = (appId: string, app: App | undefined) => void;

/** An app store in memory. Changes take effect, and are told, before the call returns. */
export class FixedApps implements AppStore {
  readonly #apps = new Map<string, App>();
  readonly #listeners = new Set<Listener>();

  constructor(...drafts: readonly AppDraft[]) {
    for (const draft of drafts) this.put(draft);
  }

  put(draft: AppDraft): App {
    const app = makeApp(draft);
    this.#apps.set(app.id, app);
    for (const listener of this.#listeners) listener(app.id, app);
    return app;
  }

  remove(id: string): void {
    this.#apps.delete(id);
    for (const listener of this.#listeners) listener(id, undefined);
  }

  byId(id: string): App | undefined {
    return this.#apps.get(id);
  }

  byKey(key: string): { readonly app: App; readonly pair: AppKey } | undefined {
    for (const app of this.#apps.values()) {
      const pair = app.keys.find((candidate) => candidate.key === key);
      if (pair !== undefined) return { app, pair };
    }
    return undefined;
  }

  all(): readonly App[] {
    return [...this.#apps.values()];
  }

  isGone(id: string): boolean {
    return !this.#apps.has(id);
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
