import { createHash, createHmac } from "node:crypto";
import type { Digest } from "@earshot/protocol/signature";

/** Hashing of the tests' own, not the server's. */
export const digest: Digest = {
  md5Hex: (body) => createHash("md5").update(body).digest("hex"),
  hmacSha256Hex: (secret, text) => createHmac("sha256", secret).update(text).digest("hex"),
};
