/** The signatures of clients and back-ends, made here and not by the server's own code. */
import { createHash, createHmac } from "node:crypto";
import type { AppUnderTest } from "./target.ts";

export function channelAuth(
  app: AppUnderTest,
  socketId: string,
  channel: string,
  channelData?: string,
): string {
  const text = channelData === undefined ? `${socketId}:${channel}` : `${socketId}:${channel}:${channelData}`;
  return `${app.key}:${hmac(app.secret, text)}`;
}

export function userAuth(app: AppUnderTest, socketId: string, userData: string): string {
  return `${app.key}:${hmac(app.secret, `${socketId}::user::${userData}`)}`;
}

export function hmac(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
