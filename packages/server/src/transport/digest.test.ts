import { expect, test } from "bun:test";
import { nodeDigest } from "@earshot/protocol/testing/node-digest";
import fc from "fast-check";
import { nativeDigest } from "./digest.ts";

test("gives what the other runtime's hashing gives, over and over with the same secret", () => {
  const digest = nativeDigest();
  const text = fc.string({ unit: "binary" });
  const secret = fc.string({ unit: "grapheme-ascii", minLength: 1 });
  fc.assert(
    fc.property(secret, text, fc.uint8Array(), (key, message, bytes) => {
      for (let round = 0; round < 2; round++) {
        expect(digest.hmacSha256Hex(key, message)).toBe(nodeDigest.hmacSha256Hex(key, message));
        expect(digest.hmacSha256Hex(key, bytes)).toBe(nodeDigest.hmacSha256Hex(key, bytes));
      }
      expect(digest.md5Hex(message)).toBe(nodeDigest.md5Hex(message));
      expect(digest.md5Hex(bytes)).toBe(nodeDigest.md5Hex(bytes));
    }),
  );
});

test("hashes a secret that is longer than a block", () => {
  const secret = "s".repeat(128);
  expect(nativeDigest().hmacSha256Hex(secret, "x")).toBe(nodeDigest.hmacSha256Hex(secret, "x"));
});

test("takes more secrets than it keeps prepared", () => {
  const digest = nativeDigest();
  const first = digest.hmacSha256Hex("secret-0", "x");
  for (let secret = 0; secret < 20_050; secret++) digest.hmacSha256Hex(`secret-${secret}`, "x");
  expect(digest.hmacSha256Hex("secret-0", "x")).toBe(first);
});
