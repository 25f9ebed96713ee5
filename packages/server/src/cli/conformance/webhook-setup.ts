/** How the kit comes to receive webhooks: at an address that the server was told, or by telling it itself. */
import { parseGivenApp } from "#config/given-app";
import { Refused } from "#store/refused";
import { DatabaseProblem } from "#store/sql";
import { borrowEndpoints } from "./earshot-endpoints.ts";
import type { Given } from "./given-target.ts";
import { type SendingApp, type Target, VACATED_DELAY_MS } from "./target.ts";
import { WebhookReceiver } from "./webhook-receiver.ts";

export interface WebhookSetup {
  readonly part: Pick<Target, "webhooks" | "whyNoWebhooks">;
  /** Gives back what was borrowed. @throws DatabaseProblem where that cannot be */
  end(): Promise<void>;
}

const NOTHING = () => Promise.resolve();

/** @throws Refused where a flag is not what it should be */
export async function setUpWebhooks(given: Given, { app }: Target): Promise<WebhookSetup> {
  const { "webhook-listen": listen, "second-app": second, url } = given.own;
  const delayMs = delayOf(given.own["webhook-delay-ms"]);
  if (listen !== undefined) {
    const receiver = listenOn(listen);
    const apps = [app, ...(second === undefined ? [] : [secondApp(second)])].map(asSender);
    return { part: { webhooks: { receiver, apps, delayMs } }, end: () => receiver.stop() };
  }
  if (second !== undefined)
    throw new Refused("--second-app is for webhooks: add --webhook-listen HOST:PORT, where they arrive.");
  if (url !== undefined) return { part: {}, end: NOTHING };
  // The server runs on a data folder of this machine: it is an Earshot, and can be told where to send.
  const receiver = new WebhookReceiver("127.0.0.1", 0);
  try {
    const { apps, giveBack } = await borrowEndpoints(given.settings, app.id, receiver.url);
    const end = async () => {
      await giveBack();
      await receiver.stop();
    };
    return { part: { webhooks: { receiver, apps, delayMs } }, end };
  } catch (problem) {
    await receiver.stop();
    if (!(problem instanceof Refused || problem instanceof DatabaseProblem)) throw problem;
    const why = `no webhook endpoint could be added to the app: ${problem.message}`;
    return { part: { whyNoWebhooks: why }, end: NOTHING };
  }
}

function listenOn(listen: string): WebhookReceiver {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(listen) ?? [];
  if (host === "" || Number(port) > 65_535)
    throw new Refused(
      `--webhook-listen ${JSON.stringify(listen)} is no address to listen on: write HOST:PORT, such as 0.0.0.0:9001.`,
    );
  try {
    return new WebhookReceiver(host.replace(/^\[|\]$/g, ""), Number(port));
  } catch (problem) {
    const why = problem instanceof Error ? problem.message : String(problem);
    throw new Refused(`--webhook-listen ${listen} cannot be listened on: ${why}`);
  }
}

function delayOf(text: string | undefined): number {
  if (text === undefined) return VACATED_DELAY_MS;
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new Refused(
    `--webhook-delay-ms ${JSON.stringify(text)} is no time: write milliseconds, such as ${VACATED_DELAY_MS}.`,
  );
}

function secondApp(text: string) {
  const app = parseGivenApp(text);
  if (app !== undefined) return app;
  throw new Refused("--second-app is not an app: write ID:KEY:SECRET, three parts with two colons.");
}

function asSender({ id, key, secret }: Target["app"]): SendingApp {
  return { id, signers: [{ key, secret }] };
}
