/** The signatures of clients, made here and not by the server's own code. */
import { hmac } from "./hash.ts";
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
