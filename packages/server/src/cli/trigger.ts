import { shellQuoted } from "@earshot/protocol/curl";
import { loadSettings } from "#config/load";
import { findTarget, refusalOf, request, signedUrl, TARGET_FORM } from "./target.ts";
import { tellProblems } from "./tell-problems.ts";
import type { Terminal } from "./terminal.ts";

/** `earshot trigger CHANNEL EVENT DATA`: silent where it worked, so that scripts can use it. */
export async function trigger(args: readonly string[], terminal: Terminal): Promise<number> {
  const loaded = loadSettings(
    { args, env: terminal.env },
    {
      settings: TARGET_FORM.settings,
      own: { ...TARGET_FORM.flags, "socket-id": "text", "print-curl": "boolean" },
      words: ["CHANNEL", "EVENT", "DATA"],
    },
  );
  if (!loaded.ok) return tellProblems(loaded.problems, terminal);
  const { settings, own, words } = loaded;
  const [channel, event, data] = words;
  const target = await findTarget(settings, own);
  const body = JSON.stringify({ name: event, channels: [channel], data, socket_id: own["socket-id"] });
  const asked = { method: "POST", path: `/apps/${target.appId}/events`, body };

  if (own["print-curl"] === true) {
    terminal.out(
      curlLine(signedUrl(target, asked), body, target.isFromFolder && target.url.startsWith("https:")),
    );
    return 0;
  }
  const response = await request(target, asked);
  if (!response.ok) throw await refusalOf(response);
  await response.body?.cancel();
  return 0;
}

/** A line for a POSIX shell. The secret is not in it. */
function curlLine(url: string, body: string, trustsAnyCertificate: boolean): string {
  return [
    "curl -sS",
    ...(trustsAnyCertificate ? ["--insecure"] : []),
    "-H 'Content-Type: application/json'",
    `--data-raw ${shellQuoted(body)}`,
    shellQuoted(url),
  ].join(" ");
}
