import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import * as fc from "fast-check";
import { curlCommand, shellQuoted } from "./curl.ts";
import type { Digest } from "./signature.ts";

const digest: Digest = {
  md5Hex: (body) => createHash("md5").update(body).digest("hex"),
  hmacSha256Hex: (secret, text) => createHmac("sha256", secret).update(text).digest("hex"),
};
/** Hashes were made with `openssl md5` and `openssl dgst -sha256 -hmac`. */
const pair = { key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" };

test("is one signed command that does not hold the secret", () => {
  const trigger = {
    url: "http://127.0.0.1:6001",
    appId: "4711",
    pair,
    channel: "hello",
    event: "greeting",
    data: "{}",
  };
  const command = curlCommand(digest, trigger, 1_700_000_000);
  expect(command).toBe(
    `curl -sS \\\n  -H 'Content-Type: application/json' \\\n  --data-raw '{"name":"greeting","channels":["hello"],"data":"{}"}' \\\n  ` +
      "'http://127.0.0.1:6001/apps/4711/events?auth_key=9f1c2e7a4b5d6083c1aa&auth_timestamp=1700000000&auth_version=1.0" +
      "&body_md5=05aa938acbb004c93bd34b2c193a9de9" +
      "&auth_signature=1a9435af08c81d6ed418710932e89736ceeb737b2a5b937d1704014197b619d6'",
  );
  expect(command).not.toContain(pair.secret);
});

test("signs the path prefix of the address", () => {
  const trigger = { appId: "4711", pair, channel: "hello", event: "greeting", data: "{}" };
  const bare = curlCommand(digest, { ...trigger, url: "http://127.0.0.1:6001" }, 1_700_000_000);
  const prefixed = curlCommand(digest, { ...trigger, url: "http://127.0.0.1:6001/realtime" }, 1_700_000_000);
  const signature = (command: string) => /auth_signature=([0-9a-f]{64})/.exec(command)?.[1];
  expect(signature(prefixed)).not.toBe(signature(bare));
  expect(prefixed).toContain("'http://127.0.0.1:6001/realtime/apps/4711/events?");
});

test("names the connection that is left out", () => {
  const trigger = {
    url: "http://h",
    appId: "1",
    pair,
    channel: "hello",
    event: "e",
    data: "",
    socketId: "1.2",
  };
  expect(curlCommand(digest, trigger, 0)).toContain(
    `--data-raw '{"name":"e","channels":["hello"],"data":"","socket_id":"1.2"}'`,
  );
});

test("a shell reads back any quoted text", () =>
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      fc.pre(!text.includes("\0")); // no argument of a program can hold it
      expect(execFileSync("sh", ["-c", `printf %s ${shellQuoted(text)}`], { encoding: "utf8" })).toBe(text);
    }),
    { numRuns: 50, examples: [["it's"], ["'; echo x; '"], ['$(id) `id` \\ \n "'], [""]] },
  ));
