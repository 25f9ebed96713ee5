/** Which server and which app `trigger` and `tail` talk to, and how. */

import { type ApiRequest, type KeyPair, signApiRequest } from "@earshot/protocol/signature";
import type { SettingPath, Settings } from "#config/fields";
import { parseGivenApp } from "#config/given-app";
import { serverUrl } from "#store/folder";
import { Refused } from "#store/refused";
import { nativeDigest } from "#transport/digest";
import { withApps } from "./with-apps.ts";

export const TARGET_FORM = {
  settings: ["data.dir", "database.url"] satisfies readonly SettingPath[],
  flags: { url: "text", app: "text" },
} as const;

export interface Target {
  /** Without a slash at the end, with the path prefix where the person gave one. */
  readonly url: string;
  readonly appId: string;
  readonly pair: KeyPair;
  /** The server told its address itself, in a folder of this machine: its certificate need not name that address. */
  readonly isFromFolder: boolean;
}

/** @throws Refused where nothing leads to a server or an app */
export async function findTarget(
  settings: Settings,
  given: { readonly url?: string; readonly app?: string },
): Promise<Target> {
  const url = given.url === undefined ? urlInFolder(settings["data.dir"]) : checkUrl(given.url);
  const isFromFolder = given.url === undefined;
  const { appId, pair } = given.app === undefined ? await firstApp(settings) : givenApp(given.app);
  return { url, appId, pair, isFromFolder };
}

/**
 * @param path from `/apps/` on
 * @throws Refused where no server answers
 */
export async function request(target: Target, asked: ApiRequest, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(signedUrl(target, asked), {
      method: asked.method,
      ...(asked.body === undefined
        ? {}
        : { body: asked.body, headers: { "Content-Type": "application/json" } }),
      ...(signal === undefined ? {} : { signal }),
      ...(target.isFromFolder ? { tls: { rejectUnauthorized: false } } : {}),
    });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : String(error);
    throw new NoAnswer(
      `No Earshot answers at ${target.url} (${why}): start one with "earshot serve", or name another with --url.`,
      { cause: error },
    );
  }
}

/** Nobody was there to refuse anything; it may be otherwise in a moment. */
export class NoAnswer extends Refused {}

/** The text of an answer that is not the one hoped for, as one line. */
export async function refusalOf(response: Response): Promise<Refused> {
  const text = (await response.text()).trim().replaceAll(/\s*\n\s*/g, " ");
  return new Refused(`The server refused it with ${response.status}: ${text || response.statusText}`);
}

const digest = nativeDigest();

/** The address of a request with its signature, which holds for ten minutes. */
export function signedUrl({ url, pair }: Target, asked: ApiRequest): string {
  const path = `${prefixOf(url)}${asked.path}`;
  const query = signApiRequest(digest, pair, { ...asked, path }, Math.floor(Date.now() / 1_000));
  return `${url}${asked.path}?${query}`;
}

function prefixOf(url: string): string {
  return new URL(url).pathname.replace(/\/$/, "");
}

function urlInFolder(dataDir: string): string {
  const url = serverUrl(dataDir);
  if (url !== undefined) return url;
  throw new NoAnswer(
    `No server runs on the data folder ${dataDir}: start one ("earshot serve --data ${dataDir}"), name its folder with --data, or its address with --url.`,
  );
}

function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (
    url !== null &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.search === "" &&
    url.hash === ""
  ) {
    return url.href.replace(/\/$/, "");
  }
  throw new Refused(
    `--url ${JSON.stringify(text)} is not the address of a server: write one such as http://127.0.0.1:6001.`,
  );
}

function givenApp(text: string): { appId: string; pair: KeyPair } {
  const given = parseGivenApp(text);
  if (given === undefined)
    throw new Refused("--app is not an app: write ID:KEY:SECRET, three parts with two colons.");
  return { appId: given.id, pair: given };
}

/** The oldest app that can be used, with its newest key. */
async function firstApp(settings: Settings): Promise<{ appId: string; pair: KeyPair }> {
  const list = await withApps(settings, (apps) => apps.list());
  for (const app of list) {
    const pair = app.keys.findLast(({ revoked }) => !revoked);
    if (app.enabled && pair !== undefined) return { appId: app.id, pair };
  }
  throw new Refused(
    `There is no app with an active key yet: make one with "earshot apps create", or name one with --app.`,
  );
}
