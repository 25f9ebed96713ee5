import { eventData } from "./sequence.ts";
import type { Signature } from "./signature.ts";
import type { Target } from "./target.ts";

export const EVENT = "tick";

/** The bytes of one signed `POST /apps/{id}/events`, written as a server library writes it. */
export function triggerRequest(
  target: Target,
  signature: Signature,
  trigger: { channel: string; sequence: number; bytes: number; nowSeconds: number },
): Uint8Array {
  const body = JSON.stringify({
    name: EVENT,
    data: eventData(trigger.sequence, trigger.bytes),
    channels: [trigger.channel],
  });
  const path = `/apps/${target.appId}/events`;
  const md5 = Bun.MD5.hash(body, "hex");
  const query = `auth_key=${target.key}&auth_timestamp=${trigger.nowSeconds}&auth_version=1.0&body_md5=${md5}`;
  const authSignature = signature.of(`POST\n${path}\n${query}`);
  return new TextEncoder().encode(
    `POST ${path}?${query}&auth_signature=${authSignature} HTTP/1.1\r\n` +
      `Host: ${target.hosts[0]}:${target.port}\r\n` +
      "Content-Type: application/json\r\n" +
      "X-Pusher-Library: earshot-bench 1.0\r\n" +
      "Accept: */*\r\n" +
      "User-Agent: earshot-bench\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
