/** What an accepted publish must have been, and whom it must have reached, judged without the server's own parsers. */
import { isUtf8 } from "node:buffer";
import { SHARED } from "./generate.ts";
import { bytesOf, type RequestStep } from "./step.ts";

const CHANNEL = /^(?:[-A-Za-z0-9_=@,.;]{1,200}|#server-to-user-[^/\p{Cc}]+)$/u;

/**
 * @param reached the frames of somebody who is on all shared channels
 * @throws where the publish should have been refused, or reached that one otherwise than it says
 */
export function judgePublish(step: RequestStep, reached: readonly string[]): void {
  const isPlain = step.method === "POST" && step.path === "/apps/4711/events" && step.query === "";
  if (!isPlain || step.tamper !== undefined || step.body === undefined) return;
  const bytes = bytesOf(step.body);
  if (!isUtf8(bytes)) throw new Error("a body was accepted that is not UTF-8");
  const body: { name?: unknown; data?: unknown; channel?: unknown; channels?: unknown } = JSON.parse(
    Buffer.from(bytes)
      .toString()
      .replace(/^\ufeff/, ""),
  );
  const { name, data, channel } = body;
  const channels: unknown = body.channels ?? [channel];
  if (!Array.isArray(channels) || channels.length === 0 || channels.length > 100)
    throw new Error("of these channels?");
  const wrong = channels.find((one) => typeof one !== "string" || !CHANNEL.test(one));
  if (wrong !== undefined) throw new Error(`a publish to ${String(wrong).slice(0, 300)} was accepted`);
  const text = typeof data === "string" ? data : JSON.stringify(data);
  if (Buffer.byteLength(text) > 10_240) throw new Error("data that is too large was accepted");
  const due = [...new Set<string>(channels)]
    .filter((one) => SHARED.includes(one))
    .map((one) => JSON.stringify({ event: name, channel: one, data: text }));
  const got = reached.map((frame) => JSON.stringify(JSON.parse(frame)));
  if (got.join("\n") !== due.join("\n")) {
    throw new Error(
      `a subscriber was due ${due.join("\n").slice(0, 500)} and got ${got.join("\n").slice(0, 500)}`,
    );
  }
}
