import type { Digest } from "@earshot/protocol/signature";

const MAX_PREPARED_SECRETS = 10_000; // ours: bounds the memory of a server with very many apps

/** The runtime's hashing. A keyed hasher is prepared once a secret and copied for each text: half the cost. */
export function nativeDigest(): Digest {
  const prepared = new Map<string, Bun.CryptoHasher>();
  const hasherOf = (secret: string): Bun.CryptoHasher => {
    const found = prepared.get(secret);
    if (found !== undefined) return found;
    if (prepared.size >= MAX_PREPARED_SECRETS) prepared.clear();
    const hasher = new Bun.CryptoHasher("sha256", secret);
    prepared.set(secret, hasher);
    return hasher;
  };
  return {
    md5Hex: (body) => Bun.MD5.hash(body, "hex"),
    hmacSha256Hex: (secret, text) => hasherOf(secret).copy().update(text).digest("hex"),
  };
}
