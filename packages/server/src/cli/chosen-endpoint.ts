/** Which app and which webhook endpoint a person means. */
import type { App, WebhookEndpoint } from "#core/app";
import { Refused } from "#store/refused";

export interface ChosenEndpoint {
  readonly app: App;
  readonly endpoint: WebhookEndpoint;
}

/** The app of this id, or all of them where none is named. */
export function chosenApps(apps: readonly App[], id: string | undefined): readonly App[] {
  if (id === undefined) return apps;
  const app = apps.find((one) => one.id === id);
  if (app !== undefined) return [app];
  if (id.includes(":"))
    throw new Refused("--app takes only the id of an app here, without its key and secret: write --app ID.");
  throw new Refused(`There is no app ${JSON.stringify(id)}: see "earshot apps list".`);
}

/** The only one. */
export function chosenApp([app, ...others]: readonly App[]): App {
  if (app === undefined) throw new Refused(`There are no apps yet: make one with "earshot apps create".`);
  if (others.length === 0) return app;
  throw new Refused(
    `There are ${others.length + 1} apps: say which one with --app ID; "earshot apps list" lists them.`,
  );
}

/** @param named the id of an endpoint, or its URL where no other endpoint has the same */
export function chosenEndpoint(apps: readonly App[], named: string | undefined): ChosenEndpoint {
  if (named === undefined) {
    throw new Refused(
      `--endpoint must be given: the id of a webhook endpoint, or its URL; "earshot webhooks list" lists them.`,
    );
  }
  const all = apps.flatMap((app) => app.webhooks.map((endpoint) => ({ app, endpoint })));
  const byId = all.filter(({ endpoint }) => endpoint.id === named);
  const [found, another] = byId.length > 0 ? byId : all.filter(({ endpoint }) => isSame(endpoint.url, named));
  if (found === undefined)
    throw new Refused(`There is no webhook endpoint ${JSON.stringify(named)}: see "earshot webhooks list".`);
  if (another === undefined) return found;
  throw new Refused(
    `Several webhook endpoints go to ${JSON.stringify(named)}: say which one by its id; "earshot webhooks list" lists them.`,
  );
}

function isSame(url: string, named: string): boolean {
  return url === named || URL.parse(url)?.href === URL.parse(named)?.href;
}
