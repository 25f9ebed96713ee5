/** `earshot apps`: the administration of apps, beside a running server or without one. */

import { type FlagKind, loadSettings, type OwnFlags } from "#config/load";
import type { App, AppKey } from "#core/app";
import type { Apps } from "#store/apps";
import { CHANGE_FLAGS, changeFrom } from "./app-change.ts";
import { appAsJson, appShown, appsAsTable, credentials } from "./app-text.ts";
import type { Said } from "./said.ts";
import { tellProblems } from "./tell-problems.ts";
import type { Terminal } from "./terminal.ts";
import { unknownCommand } from "./unknown-command.ts";
import { withApps } from "./with-apps.ts";

type Flags = OwnFlags<Readonly<Record<string, FlagKind>>>;

interface Action {
  /** What has to be named, in order. */
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, FlagKind>>;
  readonly mayMakeFolder?: true;
  readonly run: (apps: Apps, words: readonly string[], flags: Flags) => Promise<Said>;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  list: {
    words: [],
    flags: {},
    run: async (apps) => {
      const list = await apps.list();
      return { text: appsAsTable(list), json: list.map((app) => appAsJson(app, none)) };
    },
  },
  create: {
    words: [],
    flags: CHANGE_FLAGS,
    mayMakeFolder: true,
    run: async (apps, _words, flags) => {
      const app = await apps.create(changeFrom(flags));
      return { text: app.keys.map((pair) => credentials(app, pair)).join("\n"), json: appAsJson(app, all) };
    },
  },
  show: {
    words: ["ID"],
    flags: { secrets: "boolean" },
    run: async (apps, [id = ""], { secrets }) => shown(await apps.show(id), secrets === true ? all : none),
  },
  update: {
    words: ["ID"],
    flags: CHANGE_FLAGS,
    run: async (apps, [id = ""], flags) => shown(await apps.update(id, changeFrom(flags)), none),
  },
  "rotate-key": {
    words: ["ID"],
    flags: {},
    run: async (apps, [id = ""]) => {
      const { app, pair } = await apps.rotateKey(id);
      return { text: credentials(app, pair), json: appAsJson(app, ({ key }) => key === pair.key) };
    },
  },
  "revoke-key": {
    words: ["ID", "KEY"],
    flags: { force: "boolean" },
    run: async (apps, [id = "", key = ""], { force }) =>
      shown(await apps.revokeKey(id, key, force === true), none),
  },
  delete: {
    words: ["ID"],
    flags: {},
    run: async (apps, [id = ""]) => {
      await apps.delete(id);
      return { text: `App ${id} is deleted.`, json: { id, deleted: true } };
    },
  },
};

export async function apps(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name = "", ...rest] = args;
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) return unknownCommand("apps", name, Object.keys(ACTIONS), terminal);
  const loaded = loadSettings(
    { args: rest, env: terminal.env },
    {
      settings: ["data.dir", "database.url"],
      own: { ...action.flags, json: "boolean" } as Readonly<Record<string, FlagKind>>,
      words: action.words,
    },
  );
  if (!loaded.ok) return tellProblems(loaded.problems, terminal);
  const { settings, words, own } = loaded;
  const said = await withApps(settings, (store) => action.run(store, words, own), action.mayMakeFolder);
  terminal.out(own["json"] === true ? JSON.stringify(said.json, undefined, 2) : said.text);
  return 0;
}

function shown(app: App, shows: (pair: AppKey) => boolean): Said {
  return { text: appShown(app, shows === all), json: appAsJson(app, shows) };
}

function all(): boolean {
  return true;
}

function none(): boolean {
  return false;
}
