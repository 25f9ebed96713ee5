/** Webhook endpoints of an Earshot whose data folder is known, made for one run and taken away behind it. */
import { WEBHOOK_NAMES } from "@earshot/protocol/webhook";
import type { Settings } from "#config/fields";
import type { App } from "#core/app";
import { Apps } from "#store/apps";
import { Refused } from "#store/refused";
import type { Database } from "#store/sql";
import { type WebhookDraft, Webhooks } from "#store/webhooks";
import { withDatabase } from "../with-apps.ts";
import type { SendingApp } from "./target.ts";

export interface Borrowed {
  /** The app under test, and one that was made beside it. */
  readonly apps: readonly SendingApp[];
  /** Leaves nothing behind. */
  giveBack(): Promise<void>;
}

/** The addresses of the endpoints, which say what they take: one takes everything. */
const PATHS = {
  all: "/",
  filtered: "/?events=channel_occupied&prefix=private-",
} as const;

/** @throws Refused where the app is not in that database, DatabaseProblem where it cannot be used */
export async function borrowEndpoints(
  settings: Settings,
  appId: string,
  receiverUrl: string,
): Promise<Borrowed> {
  const taken: ((database: Database) => Promise<void>)[] = [];
  const giveBack = () =>
    withDatabase(settings, async (database) => {
      for (const undo of taken.splice(0).reverse()) await undo(database).catch(unlessGone);
    });
  const borrow = async (database: Database): Promise<readonly App[]> => {
    const apps = new Apps(database);
    const own = await apps.show(appId);
    const second = await apps.create({ name: "Second app of earshot conformance" });
    taken.push((again) => new Apps(again).delete(second.id));
    for (const draft of draftsFor(receiverUrl)) {
      for (const { id } of [own, second]) {
        const endpoint = await new Webhooks(database).add(id, draft);
        taken.push((again) => new Webhooks(again).remove(id, endpoint.id));
      }
    }
    return [own, second];
  };
  try {
    const apps = await withDatabase(settings, borrow);
    return { apps: apps.map(({ id, keys }) => ({ id, signers: keys })), giveBack };
  } catch (problem) {
    if (taken.length > 0) await giveBack();
    throw problem;
  }
}

function draftsFor(receiverUrl: string): WebhookDraft[] {
  const draft = { suffix: "", batch: true, headers: {}, enabled: true };
  return [
    { ...draft, url: `${receiverUrl}${PATHS.all}`, events: WEBHOOK_NAMES, prefix: "" },
    { ...draft, url: `${receiverUrl}${PATHS.filtered}`, events: ["channel_occupied"], prefix: "private-" },
  ];
}

/** Somebody else may have taken it away meanwhile. */
function unlessGone(problem: unknown): void {
  if (!(problem instanceof Refused)) throw problem;
}
