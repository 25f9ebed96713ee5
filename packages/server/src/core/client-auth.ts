import { type ProtocolError, protocolError } from "@earshot/protocol/errors";
import { type Digest, verifySignature } from "@earshot/protocol/signature";
import { type App, activeKey } from "./app.ts";

/**
 * Why the `auth` of a client, KEY:SIGNATURE, does not allow what was asked, or undefined where it does.
 *
 * @param signed the text that has to be signed
 * @param keyInvalid the refusal of a key that the app does not have, or has revoked
 */
export function verifyClientAuth(
  digest: Digest,
  app: App,
  auth: unknown,
  signed: string,
  keyInvalid: "authKeyInvalid" | "signInKeyInvalid",
): ProtocolError | undefined {
  if (typeof auth !== "string" || auth === "")
    return protocolError("signatureInvalid", { signed, got: "none" });
  const colon = auth.indexOf(":");
  const key = colon < 0 ? auth : auth.slice(0, colon);
  const pair = activeKey(app, key);
  if (pair === undefined) return protocolError(keyInvalid, { key });
  const signature = colon < 0 ? "" : auth.slice(colon + 1);
  if (verifySignature(digest, pair.secret, signed, signature)) return undefined;
  return protocolError("signatureInvalid", { signed, got: signature });
}
