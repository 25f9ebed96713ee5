/** The two hashes of the protocol, made here and not by the server's own code. */
import { createHash, createHmac } from "node:crypto";

export function hmac(secret: string, content: string | Uint8Array): string {
  return createHmac("sha256", secret).update(content).digest("hex");
}

export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
