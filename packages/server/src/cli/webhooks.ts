/** `earshot webhooks`: where webhooks go and how they fare, beside a running server or without one. */

import { join } from "node:path";
import type { SettingPath, Settings } from "#config/fields";
import { type FlagKind, loadSettings } from "#config/load";
import type { App, WebhookEndpoint } from "#core/app";
import { Apps } from "#store/apps";
import { serverUrl } from "#store/folder";
import { Refused } from "#store/refused";
import { Webhooks } from "#store/webhooks";
import { DeliveryLog } from "#webhooks/delivery-log";
import { chosenApp, chosenApps, chosenEndpoint } from "./chosen-endpoint.ts";
import { type Given, textOf } from "./given.ts";
import type { Said } from "./said.ts";
import { tellProblems } from "./tell-problems.ts";
import type { Terminal } from "./terminal.ts";
import { unknownCommand } from "./unknown-command.ts";
import { ENDPOINT_FLAGS, endpointChangeFrom, endpointFrom } from "./webhook-change.ts";
import { deadLetters, deliveries, deliveryShown, queryFrom } from "./webhook-deliveries.ts";
import { redeliver, redeliveryFrom } from "./webhook-redelivery.ts";
import { endpointAsJson, endpointShown, endpointsAsTable } from "./webhook-text.ts";
import { tryEndpoint } from "./webhook-trial.ts";
import { withDatabase } from "./with-apps.ts";

interface Work {
  readonly webhooks: Webhooks;
  /** The one that was named, or all. */
  readonly apps: readonly App[];
  readonly flags: Given;
  readonly settings: Settings;
}

interface Action {
  readonly flags: Readonly<Record<string, FlagKind>>;
  readonly settings?: readonly SettingPath[];
  readonly run: (work: Work) => Promise<Said>;
}

const ANSWER_MS = 10_000; // ours: a server looks every second

const ACTIONS: Readonly<Record<string, Action>> = {
  list: {
    flags: { endpoint: "text", secrets: "boolean" },
    run: async ({ apps, flags }) => {
      const withSecrets = flags["secrets"] === true;
      if (flags["endpoint"] !== undefined) {
        const { app, endpoint } = chosenEndpoint(apps, textOf(flags, "endpoint"));
        return shown(app.id, endpoint, withSecrets);
      }
      return {
        text: endpointsAsTable(apps),
        json: apps.flatMap(({ id, webhooks }) => webhooks.map((one) => shown(id, one, withSecrets).json)),
      };
    },
  },
  add: {
    flags: ENDPOINT_FLAGS,
    run: async ({ webhooks, apps, flags }) => {
      const { id } = chosenApp(apps);
      return shown(id, await webhooks.add(id, endpointFrom(flags)), false);
    },
  },
  update: {
    flags: { endpoint: "text", ...ENDPOINT_FLAGS },
    run: async ({ webhooks, apps, flags }) => {
      const { app, endpoint } = chosenEndpoint(apps, textOf(flags, "endpoint"));
      return shown(app.id, await webhooks.update(app.id, endpoint.id, endpointChangeFrom(flags)), false);
    },
  },
  remove: {
    flags: { endpoint: "text" },
    run: async ({ webhooks, apps, flags }) => {
      const { app, endpoint } = chosenEndpoint(apps, textOf(flags, "endpoint"));
      await webhooks.remove(app.id, endpoint.id);
      return {
        text: `Webhook endpoint ${endpoint.id} of app ${app.id} is removed.`,
        json: { id: endpoint.id, appId: app.id, removed: true },
      };
    },
  },
  test: {
    flags: { endpoint: "text" },
    settings: ["webhooks.targets", "webhooks.timeoutMs"],
    run: async ({ apps, flags, settings }) => {
      const { passed, ...said } = await tryEndpoint(
        chosenEndpoint(apps, textOf(flags, "endpoint")),
        settings,
      );
      return { ...said, code: passed ? 0 : 1 };
    },
  },
  deliveries: {
    flags: {
      endpoint: "text",
      failed: "boolean",
      dead: "boolean",
      since: "text",
      limit: "text",
      show: "text",
    },
    run: async ({ apps, flags, settings }) => {
      const log = openLog(settings);
      if (log === undefined)
        return { text: `There were no deliveries in ${settings["data.dir"]} yet.`, json: [] };
      try {
        const show = textOf(flags, "show");
        if (show !== undefined) return deliveryShown(log, show);
        const query = queryFrom(apps, flags);
        return flags["dead"] === true
          ? deadLetters(log, query)
          : deliveries(log, query, flags["failed"] === true);
      } finally {
        log.close();
      }
    },
  },
  redeliver: {
    flags: { delivery: "text", endpoint: "text", since: "text", "dead-only": "boolean" },
    run: async ({ apps, flags, settings }) => {
      const log = openLog(settings);
      if (log === undefined) {
        throw new Refused(
          `There were no deliveries in ${settings["data.dir"]} yet, so none can be repeated: name the server's data folder with --data.`,
        );
      }
      try {
        const isServed = serverUrl(settings["data.dir"]) !== undefined;
        return await redeliver(log, {
          ...redeliveryFrom(apps, flags, log),
          waitMs: isServed ? ANSWER_MS : 0,
        });
      } finally {
        log.close();
      }
    },
  },
};

export async function webhooks(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name = "", ...rest] = args;
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) return unknownCommand("webhooks", name, Object.keys(ACTIONS), terminal);
  const loaded = loadSettings(
    { args: rest, env: terminal.env },
    {
      settings: ["data.dir", "database.url", ...(action.settings ?? [])],
      own: { ...action.flags, app: "text", json: "boolean" } as Readonly<Record<string, FlagKind>>,
    },
  );
  if (!loaded.ok) return tellProblems(loaded.problems, terminal);
  const { settings, own: flags } = loaded;
  const said = await withDatabase(settings, async (database) => {
    const apps = chosenApps(await new Apps(database).list(), textOf(flags, "app"));
    return await action.run({ webhooks: new Webhooks(database), apps, flags, settings });
  });
  terminal.out(flags["json"] === true ? JSON.stringify(said.json, undefined, 2) : said.text);
  return said.code ?? 0;
}

function shown(appId: string, endpoint: WebhookEndpoint, withSecrets: boolean): Said {
  return {
    text: endpointShown(appId, endpoint, withSecrets),
    json: { appId, ...endpointAsJson(endpoint, withSecrets) },
  };
}

function openLog(settings: Settings): DeliveryLog | undefined {
  return DeliveryLog.open(join(settings["data.dir"], "deliveries.db"));
}
