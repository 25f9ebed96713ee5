import { expect, test } from "bun:test";
import { Signature } from "./signature.ts";
import type { Target } from "./target.ts";
import { triggerRequest } from "./trigger-request.ts";

const target: Target = {
  hosts: ["127.0.0.1"],
  port: 1,
  appId: "4711",
  key: "9f1c2e7a4b5d6083c1aa",
  secret: "d2b8f6e1a90347c5e0ff",
};

test("signs as the protocol's worked example does", () => {
  const text =
    "POST\n/apps/4711/events\nauth_key=9f1c2e7a4b5d6083c1aa&auth_timestamp=1700000000&auth_version=1.0" +
    "&body_md5=ecf4d4be6e419283f1e9ad765598c719";
  expect(new Signature(target.secret).of(text)).toBe(
    "d7a473638d90e52eccf01c0e93ad5c49710e35d608de75e0cb2df0c9501581b9",
  );
});

test("writes one request whose length, MD5 and signature fit its body", () => {
  const signature = new Signature(target.secret);
  const request = new TextDecoder().decode(
    triggerRequest(target, signature, {
      channel: "news",
      sequence: 7,
      bytes: 200,
      nowSeconds: 1_700_000_000,
    }),
  );
  const [head = "", body = ""] = request.split("\r\n\r\n");
  expect(head).toContain(`Content-Length: ${body.length}`);
  const [, path, query, sent] = /^POST (\S+)\?(\S+)&auth_signature=(\S+) HTTP\/1.1\r\n/.exec(head) ?? [];
  expect(query).toEndWith(`&body_md5=${Bun.MD5.hash(body, "hex")}`);
  expect(sent).toBe(signature.of(`POST\n${path}\n${query}`));
  expect(JSON.parse(body)).toMatchObject({ name: "tick", channels: ["news"] });
});
