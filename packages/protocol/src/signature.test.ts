import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { Query } from "./query.ts";
import {
  apiStringToSign,
  channelStringToSign,
  equalInConstantTime,
  signApiRequest,
  signChannel,
  signUser,
  signWebhook,
  userStringToSign,
  verifySignature,
} from "./signature.ts";
import { nodeDigest as digest } from "./testing/node-digest.ts";

const OURS = { key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" };
const VENDORS = { key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8" };

describe("channel authorization", () => {
  test("signs socket id and channel", () => {
    expect(channelStringToSign("13.37", "private-orders-42", undefined)).toBe("13.37:private-orders-42");
    expect(signChannel(digest, OURS, "13.37", "private-orders-42")).toBe(
      "9f1c2e7a4b5d6083c1aa:882bbeec4445543a7167e338e988bac8eedc55a58c9ff2e62f27b25ed83466c7",
    );
  });

  test("signs channel_data as UTF-8, exactly as sent", () => {
    const data = '{"user_id":"u-7","user_info":{"name":"Zoë"}}';
    expect(channelStringToSign("13.37", "presence-room-1", data)).toBe(
      '13.37:presence-room-1:{"user_id":"u-7","user_info":{"name":"Zoë"}}',
    );
    expect(signChannel(digest, OURS, "13.37", "presence-room-1", data)).toBe(
      "9f1c2e7a4b5d6083c1aa:08151becf434b3500e7f2f85e6af8dc1137393582ce407f5e32c98ef9bfb4b3e",
    );
    const respaced = signChannel(digest, OURS, "13.37", "presence-room-1", data.replaceAll(",", ", "));
    expect(respaced).not.toEndWith("08151becf434b3500e7f2f85e6af8dc1137393582ce407f5e32c98ef9bfb4b3e");
  });

  test("signs an empty channel_data, which is not an absent one", () => {
    expect(channelStringToSign("13.37", "private-x", "")).toBe("13.37:private-x:");
  });

  test("gives the vendor's published signature of a private channel", () => {
    expect(signChannel(digest, VENDORS, "1234.1234", "private-foobar")).toBe(
      "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
    );
  });

  test("does not give the vendor's published signature of a presence channel, which is of another text", () => {
    const sign = (name: string) =>
      signChannel(
        digest,
        VENDORS,
        "1234.1234",
        "presence-foobar",
        `{"user_id":10,"user_info":{"name":"${name}"}}`,
      );
    const published = "278d425bdf160c739803:afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
    expect(sign("Mr. Channels")).not.toBe(published);
    expect(sign("Mr. Pusher")).toBe(published);
    expect(sign("Mr. Channels")).toBe(
      "278d425bdf160c739803:31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
    );
  });

  test("treats an encrypted channel like a private one: the shared secret is no part of it", () => {
    const masterKey = Buffer.from("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "base64");
    const shared = createHash("sha256").update("private-encrypted-vault").update(masterKey).digest();
    expect(shared.toString("hex")).toBe("c29f0eae3b764b81f89fc7433fba5ad80f6b79db914d379d6da8959e3aa89ac7");
    expect(shared.toString("base64")).toBe("wp8Orjt2S4H4n8dDP7pa2A9reduRTTedbaiVnjqomsc=");
    expect(signChannel(digest, OURS, "13.37", "private-encrypted-vault")).toBe(
      "9f1c2e7a4b5d6083c1aa:147925eb1e226d5784bd6fa33397016f792c519a0cc3a42ab14d16947f44e495",
    );
  });
});

describe("user sign-in", () => {
  test("signs socket id, ::user:: and user_data", () => {
    const data = '{"id":"u-7","user_info":{"name":"Zoë"},"watchlist":["u-8","u-9"]}';
    expect(userStringToSign("13.37", data)).toBe(`13.37::user::${data}`);
    expect(signUser(digest, OURS, "13.37", data)).toBe(
      "9f1c2e7a4b5d6083c1aa:2b70c1d1caf4ecda45b819dabb8ebc5e0fb026b0ca77fc3bd1b6143d6585496d",
    );
  });

  test("gives the vendor's published signature", () => {
    expect(signUser(digest, VENDORS, "1234.1234", '{"id":"12345"}')).toBe(
      "278d425bdf160c739803:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
    );
  });
});

describe("webhook", () => {
  test("signs the bytes of the body", () => {
    const body = '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}';
    const signature = signWebhook(digest, OURS.secret, body);
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    expect(signWebhook(digest, OURS.secret, new TextEncoder().encode(body))).toBe(signature);
    expect(signWebhook(digest, OURS.secret, `${body} `)).not.toBe(signature);
  });
});

describe("API request", () => {
  const BODY =
    '{"name":"order-shipped","channels":["private-orders-42"],"data":"{\\"id\\":42}","socket_id":"1234.5678"}';
  const signatureOf = (query: string) => new Query(query).get("auth_signature");

  test("signs a publish", () => {
    expect(Buffer.byteLength(BODY)).toBe(102);
    const request = { method: "POST", path: "/apps/4711/events", body: BODY };
    const query = signApiRequest(digest, OURS, request, 1_700_000_000);
    expect(new Query(query).get("body_md5")).toBe("ecf4d4be6e419283f1e9ad765598c719");
    expect(apiStringToSign("POST", "/apps/4711/events", new Query(query).parameters)).toBe(
      "POST\n/apps/4711/events\nauth_key=9f1c2e7a4b5d6083c1aa&auth_timestamp=1700000000&auth_version=1.0&body_md5=ecf4d4be6e419283f1e9ad765598c719",
    );
    expect(signatureOf(query)).toBe("d7a473638d90e52eccf01c0e93ad5c49710e35d608de75e0cb2df0c9501581b9");
  });

  test("signs a read with its parameters", () => {
    const query = { filter_by_prefix: "presence-", info: "user_count" };
    const request = { method: "GET", path: "/apps/4711/channels", query };
    expect(signatureOf(signApiRequest(digest, OURS, request, 1_700_000_000))).toBe(
      "d4814902fce6b961f8d4f50b77e8581bb3af28e405fc9ba61643be7cf4199971",
    );
  });

  test("signs the hash of no body where it is sent, as python does", () => {
    const query = {
      filter_by_prefix: "presence-",
      info: "user_count",
      body_md5: "d41d8cd98f00b204e9800998ecf8427e",
    };
    const request = { method: "GET", path: "/apps/4711/channels", query };
    expect(signatureOf(signApiRequest(digest, OURS, request, 1_700_000_000))).toBe(
      "bb018b12d0278883ce249f39fb54aeade1962bcbc841ba41102615cc914c3fcf",
    );
  });

  test("signs the call that ends a user's connections", () => {
    const request = { method: "POST", path: "/apps/4711/users/u-7/terminate_connections", body: "{}" };
    const query = signApiRequest(digest, OURS, request, 1_700_000_000);
    expect(new Query(query).get("body_md5")).toBe("99914b932bd37a50b983c5e7c90ae93b");
    expect(signatureOf(query)).toBe("8ca02a024b0358ff9f1c67e31b816f51f842ca6c4c2a372c72124039dacae966");
  });

  test("gives the vendor's published example", () => {
    const body = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
    const query = signApiRequest(
      digest,
      VENDORS,
      { method: "POST", path: "/apps/3/events", body },
      1_353_088_179,
    );
    expect(new Query(query).get("body_md5")).toBe("ec365a775a4cd0599faeb73354201b6f");
    expect(signatureOf(query)).toBe("da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c");
  });

  test("leaves the hash out where there is no body", () => {
    const request = { method: "GET", path: "/apps/4711/channels" };
    for (const call of [request, { ...request, body: "" }]) {
      expect(new Query(signApiRequest(digest, OURS, call, 1_700_000_000)).get("body_md5")).toBeUndefined();
    }
  });

  test("sorts parameters by key, keeps the order of equal keys, and leaves the signature out", () => {
    const parameters = new Query("b=2&channels[]=z&auth_signature=s&a=1&channels[]=a").parameters;
    expect(apiStringToSign("GET", "/x", parameters)).toBe("GET\n/x\na=1&b=2&channels[]=z&channels[]=a");
    expect(apiStringToSign("GET", "/x", [])).toBe("GET\n/x\n");
  });

  test("does not change the list that it is given", () => {
    const { parameters } = new Query("b=2&a=1");
    apiStringToSign("GET", "/x", parameters);
    expect(parameters).toEqual([
      ["b", "2"],
      ["a", "1"],
    ]);
  });
});

describe("comparison", () => {
  test("finds equal texts equal and all others different", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(equalInConstantTime(a, a)).toBe(true);
        expect(equalInConstantTime(a, b)).toBe(a === b);
        expect(equalInConstantTime(a, `${a}x`)).toBe(false);
      }),
    );
  });

  test("looks at every character", () => {
    const right = "0".repeat(64);
    for (let i = 0; i < right.length; i++) {
      expect(equalInConstantTime(right, `${right.slice(0, i)}1${right.slice(i + 1)}`)).toBe(false);
    }
  });
});

describe("verification", () => {
  const signed = digest.hmacSha256Hex("secret", "13.37:private-x");

  test("accepts the signature, in lower case only", () => {
    expect(verifySignature(digest, "secret", "13.37:private-x", signed)).toBe(true);
    expect(verifySignature(digest, "secret", "13.37:private-x", signed.toUpperCase())).toBe(false);
    expect(verifySignature(digest, "other", "13.37:private-x", signed)).toBe(false);
    expect(verifySignature(digest, "secret", "13.38:private-x", signed)).toBe(false);
    expect(verifySignature(digest, "secret", "13.37:private-x", "")).toBe(false);
  });

  test("refuses a signature with any one bit changed", () => {
    for (let bit = 0; bit < signed.length * 7; bit++) {
      const at = Math.floor(bit / 7);
      const changed = String.fromCharCode(signed.charCodeAt(at) ^ (1 << (bit % 7)));
      const other = signed.slice(0, at) + changed + signed.slice(at + 1);
      expect(verifySignature(digest, "secret", "13.37:private-x", other)).toBe(false);
    }
  });

  test("signs and verifies any text that has a UTF-8 form", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (secret, text) => {
        expect(verifySignature(digest, secret, text, digest.hmacSha256Hex(secret, text))).toBe(true);
      }),
    );
  });

  test("refuses a text without a UTF-8 form: lone surrogates all sign like U+FFFD, and so like each other", () => {
    const replacement = digest.hmacSha256Hex("secret", '{"user_id":"a\ufffd"}');
    expect(verifySignature(digest, "secret", '{"user_id":"a\ufffd"}', replacement)).toBe(true);
    expect(verifySignature(digest, "secret", '{"user_id":"a\ud800"}', replacement)).toBe(false);
    expect(verifySignature(digest, "secret", '{"user_id":"a\udfff"}', replacement)).toBe(false);
  });
});
