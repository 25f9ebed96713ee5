/** `earshot webhooks test`: one signed request without events, which no receiver takes for anything. */
import { randomBytes } from "node:crypto";
import { writeWebhook } from "@earshot/protocol/webhook";
import type { Settings } from "#config/fields";
import { Refused } from "#store/refused";
import { nativeDigest } from "#transport/digest";
import { signingPair, webhookRequest } from "#webhooks/request";
import { Sender, type SendResult } from "#webhooks/sender";
import manifest from "../../package.json" with { type: "json" };
import type { ChosenEndpoint } from "./chosen-endpoint.ts";
import { printable } from "./terminal.ts";
import { table } from "./text-table.ts";

const SHOWN_LINES = 5; // ours: what tells an application's answer from an error page
const SHOWN_CHARS = 200; // ours: of each line

export interface Trial {
  readonly passed: boolean;
  readonly text: string;
  readonly json: unknown;
}

/**
 * Sent by this process, signed with the oldest active key, as the server would.
 *
 * @throws Refused where the app has no active key
 */
export async function tryEndpoint({ app, endpoint }: ChosenEndpoint, settings: Settings): Promise<Trial> {
  const pair = signingPair(app);
  if (pair === undefined) {
    throw new Refused(
      `App ${app.id} has no active key to sign webhooks with: make one with "earshot apps rotate-key ${app.id}".`,
    );
  }
  const nowMs = Date.now();
  const request = webhookRequest({
    endpoint: { url: endpoint.url, headers: { ...endpoint.headers, "X-Earshot-Test": "1" } },
    pair,
    digest: nativeDigest(),
    body: writeWebhook({ timeMs: nowMs, events: [] }),
    deliveryId: `test-${randomBytes(8).toString("hex")}`,
    attempt: 1,
    firstAttemptMs: nowMs,
    userAgent: `Earshot/${manifest.version}`,
  });
  const sender = new Sender({
    timeoutMs: settings["webhooks.timeoutMs"],
    targets: settings["webhooks.targets"] === "public" ? "public" : "any",
    clock: { monotonicMs: () => performance.now() },
  });
  try {
    return trialOf(endpoint.url, await sender.send(request));
  } finally {
    sender.close();
  }
}

function trialOf(url: string, result: SendResult): Trial {
  const passed = result.answered && result.status >= 200 && result.status < 300;
  const { durationMs } = result;
  const outcome = result.answered
    ? { status: result.status, durationMs, answer: result.body }
    : { problem: result.problem, durationMs };
  return {
    passed,
    json: { url, passed, ...outcome },
    text: table([
      ["url", printable(url)],
      result.answered
        ? ["status", `${result.status}${passed ? "" : " (not 2xx: the server would try again)"}`]
        : ["problem", printable(result.problem)],
      ["duration", `${durationMs} ms`],
      ...(result.answered ? linesOf(result.body).map((line) => ["answer", line]) : []),
    ]),
  };
}

function linesOf(body: string): readonly string[] {
  const lines = body.trim() === "" ? [] : body.trim().split(/\r?\n/);
  const shown = lines.slice(0, SHOWN_LINES).map((line) => printable(line.slice(0, SHOWN_CHARS)));
  return lines.length > SHOWN_LINES ? [...shown, "..."] : shown;
}
