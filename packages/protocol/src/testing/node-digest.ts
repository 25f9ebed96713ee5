import { createHash, createHmac } from "node:crypto";
import type { Digest } from "../signature.ts";

/** Hashing for tests, in Bun and in Node. */
export const nodeDigest: Digest = {
  md5Hex: (body) => createHash("md5").update(body).digest("hex"),
  hmacSha256Hex: (secret, text) => createHmac("sha256", secret).update(text).digest("hex"),
};
