import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type SignedRequest, verifyApiRequest, verifyBody } from "./api-signature.ts";
import { Query } from "./query.ts";
import { apiStringToSign, signApiRequest } from "./signature.ts";
import { nodeDigest as digest } from "./testing/node-digest.ts";

const PAIR = { key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" };
const NOW = 1_700_000_000;
const APP = { id: "4711", findPair: (key: string) => (key === PAIR.key ? PAIR : undefined) };
const PATH = "/apps/4711/channels";

function request(rawQuery: string, over: Partial<SignedRequest> = {}): SignedRequest {
  return { method: "GET", path: PATH, query: new Query(rawQuery), ...over };
}

function reasonOf(signed: SignedRequest, nowSeconds = NOW): string | undefined {
  return verifyApiRequest(digest, signed, APP, nowSeconds)?.reason;
}

/** A query as a library would send it: `sent` over the wire, `signed` under the signature. */
function foreign(sent: string, signed: string, path = PATH): string {
  const auth = `auth_key=${PAIR.key}&auth_timestamp=${NOW}&auth_version=1.0`;
  const text = [...`${auth}&${signed}`.split("&")].sort().join("&");
  return `${auth}&${sent}&auth_signature=${digest.hmacSha256Hex(PAIR.secret, `GET\n${path}\n${text}`)}`;
}

const sign = (query: Record<string, string> = {}, seconds = NOW) =>
  signApiRequest(digest, PAIR, { method: "GET", path: PATH, query }, seconds);

test("accepts what signApiRequest signs", () => {
  expect(reasonOf(request(sign()))).toBeUndefined();
  expect(reasonOf(request(sign({ filter_by_prefix: "presence-", info: "user_count" })))).toBeUndefined();
});

describe("worked examples", () => {
  const parameters = `auth_key=${PAIR.key}&auth_timestamp=${NOW}&auth_version=1.0`;

  test("a publish", () => {
    const signature = "d7a473638d90e52eccf01c0e93ad5c49710e35d608de75e0cb2df0c9501581b9";
    const raw = `${parameters}&body_md5=ecf4d4be6e419283f1e9ad765598c719&auth_signature=${signature}`;
    const body =
      '{"name":"order-shipped","channels":["private-orders-42"],"data":"{\\"id\\":42}","socket_id":"1234.5678"}';
    expect(reasonOf(request(raw, { method: "POST", path: "/apps/4711/events" }))).toBeUndefined();
    expect(verifyBody(digest, new Query(raw), new TextEncoder().encode(body))).toBeUndefined();
  });

  test("a read, as most libraries and as python send it", () => {
    const read = `${parameters}&filter_by_prefix=presence-&info=user_count`;
    const signature = "d4814902fce6b961f8d4f50b77e8581bb3af28e405fc9ba61643be7cf4199971";
    expect(reasonOf(request(`${read}&auth_signature=${signature}`))).toBeUndefined();
    const python = "bb018b12d0278883ce249f39fb54aeade1962bcbc841ba41102615cc914c3fcf";
    const raw = `${read}&body_md5=d41d8cd98f00b204e9800998ecf8427e&auth_signature=${python}`;
    expect(reasonOf(request(raw))).toBeUndefined();
    expect(verifyBody(digest, new Query(raw), new Uint8Array())).toBeUndefined();
  });

  test("the vendor's, with its own key and time", () => {
    const pair = { key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8" };
    const raw =
      "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f" +
      "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
    const published = request(raw, { method: "POST", path: "/apps/3/events" });
    const body = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
    expect(
      verifyApiRequest(digest, published, { id: "3", findPair: () => pair }, 1_353_088_179),
    ).toBeUndefined();
    expect(verifyBody(digest, published.query, new TextEncoder().encode(body))).toBeUndefined();
    expect(verifyApiRequest(digest, published, { id: "3", findPair: () => pair }, NOW)?.message).toBe(
      "Timestamp expired: Given timestamp (2012-11-16T17:49:39Z) not within 600s of server time (2023-11-14T22:13:20Z)",
    );
  });
});

describe("refusals come in the order of the reference implementation", () => {
  test("key, known key, version, timestamp, signature", () => {
    expect(reasonOf(request(""))).toBe("apiKeyMissing");
    expect(reasonOf(request("auth_key=other"))).toBe("apiKeyUnknown");
    expect(reasonOf(request(`auth_key=${PAIR.key}`))).toBe("apiVersionMissing");
    expect(reasonOf(request(`auth_key=${PAIR.key}&auth_version=2.0`))).toBe("apiVersionUnsupported");
    expect(reasonOf(request(`auth_key=${PAIR.key}&auth_version=1.0`))).toBe("apiTimestampMissing");
    expect(reasonOf(request(`auth_key=${PAIR.key}&auth_version=1.0&auth_timestamp=1`))).toBe(
      "apiTimestampExpired",
    );
    expect(reasonOf(request(`auth_key=${PAIR.key}&auth_version=1.0&auth_timestamp=${NOW}`))).toBe(
      "apiSignatureInvalid",
    );
  });

  test("have the texts of the service", () => {
    const text = (raw: string) => verifyApiRequest(digest, request(raw), APP, NOW)?.message;
    expect(text("")).toBe("Missing parameter: auth_key");
    expect(text("auth_key=other")).toBe("Unknown auth_key");
    expect(text(`auth_key=${PAIR.key}`)).toBe("Version required");
    expect(text(`auth_key=${PAIR.key}&auth_version=2.0`)).toBe("Version not supported");
    expect(text(`auth_key=${PAIR.key}&auth_version=1.0`)).toBe("Timestamp required");
    expect(text(`auth_key=${PAIR.key}&auth_version=1.0&auth_timestamp=${NOW}&auth_signature=x`)).toBe(
      'Invalid signature: you should have sent HmacSHA256Hex("GET\\n/apps/4711/channels\\nauth_key=9f1c2e7a4b5d6083c1aa' +
        '&auth_timestamp=1700000000&auth_version=1.0", your_secret_key), but you sent "x"',
    );
  });
});

describe("time", () => {
  test("may differ by less than 600 seconds, either way", () => {
    for (const skew of [-599, 0, 599]) expect(reasonOf(request(sign({}, NOW + skew)))).toBeUndefined();
    for (const skew of [-600, 600, -100_000, 1e9]) {
      expect(reasonOf(request(sign({}, NOW + skew)))).toBe("apiTimestampExpired");
    }
  });

  test("is a whole number of seconds", () => {
    for (const time of ["", " ", "-1", "1e9", "0x10", "1.5", "NaN", "9".repeat(13), "٣"]) {
      const raw = `auth_key=${PAIR.key}&auth_version=1.0&auth_timestamp=${encodeURIComponent(time)}`;
      expect(reasonOf(request(raw))).toBe("apiTimestampMissing");
    }
    expect(reasonOf(request(`auth_key=${PAIR.key}&auth_version=1.0&auth_timestamp=${"9".repeat(12)}`))).toBe(
      "apiTimestampExpired",
    );
  });
});

describe("libraries differ", () => {
  test("values may stand un-escaped or escaped: they are signed decoded", () => {
    const signed = "info=user_count,subscription_count";
    expect(reasonOf(request(foreign("info=user_count,subscription_count", signed)))).toBeUndefined();
    expect(reasonOf(request(foreign("info=user_count%2Csubscription_count", signed)))).toBeUndefined();
    expect(reasonOf(request(foreign("filter_by_prefix=a%3Db", "filter_by_prefix=a=b")))).toBeUndefined();
    expect(reasonOf(request(foreign("filter_by_prefix=a=b", "filter_by_prefix=a=b")))).toBeUndefined();
  });

  test("a plus may be signed as a space or as a plus", () => {
    expect(reasonOf(request(foreign("name=a+b", "name=a b")))).toBeUndefined();
    expect(reasonOf(request(foreign("name=a+b", "name=a+b")))).toBeUndefined();
    expect(reasonOf(request(foreign("name=a%2Bb", "name=a+b")))).toBeUndefined();
    expect(reasonOf(request(foreign("name=a%2Bb", "name=a b")))).toBe("apiSignatureInvalid");
  });

  test("a list may be signed key by key, or joined with commas", () => {
    expect(
      reasonOf(request(foreign("channels[]=a&channels[]=b", "channels[]=a&channels[]=b"))),
    ).toBeUndefined();
    expect(reasonOf(request(foreign("channels[]=a&channels[]=b", "channels=a,b")))).toBeUndefined();
    expect(reasonOf(request(foreign("channels[]=a&channels[]=b", "channels=b,a")))).toBe(
      "apiSignatureInvalid",
    );
  });

  test("php signs the path without the prefix that it is mounted under", () => {
    const over = { path: `/realtime${PATH}`, pathWithoutPrefix: PATH };
    expect(reasonOf(request(foreign("a=1", "a=1", PATH), over))).toBeUndefined();
    expect(reasonOf(request(foreign("a=1", "a=1", `/realtime${PATH}`), over))).toBeUndefined();
    expect(reasonOf(request(foreign("a=1", "a=1", PATH), { path: `/realtime${PATH}` }))).toBe(
      "apiSignatureInvalid",
    );
  });

  test("keys are signed in lower case", () => {
    expect(reasonOf(request(foreign("Info=user_count", "info=user_count")))).toBeUndefined();
  });
});

describe("any request", () => {
  const text = fc.string({ unit: "grapheme" });
  const parameters = fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), text);

  test("verifies in whatever order its parameters are sent", () => {
    fc.assert(
      fc.property(parameters, fc.func(fc.nat()), (query, rank) => {
        const shuffled = sign(query)
          .split("&")
          .sort((a, b) => rank(a) - rank(b))
          .join("&");
        expect(reasonOf(request(shuffled))).toBeUndefined();
      }),
    );
  });

  test("is refused with any one character of path, method, query or signature changed", () => {
    fc.assert(
      fc.property(parameters, fc.nat(), fc.integer({ min: 0, max: 6 }), (query, position, bit) => {
        const flip = (of: string) => {
          const at = position % of.length;
          return of.slice(0, at) + String.fromCharCode(of.charCodeAt(at) ^ (1 << bit)) + of.slice(at + 1);
        };
        const raw = sign(query);
        const changed = new Query(flip(raw));
        // Some changes are none: an upper-case key or escape, an ampersand for an ampersand.
        const signedText = (read: Query) =>
          apiStringToSign("GET", PATH, read.parameters) + read.get("auth_signature");
        if (signedText(changed) !== signedText(new Query(raw))) {
          expect(reasonOf({ method: "GET", path: PATH, query: changed })).toBeDefined();
        }
        expect(reasonOf(request(raw, { path: flip(PATH) }))).toBe("apiSignatureInvalid");
        expect(reasonOf(request(raw, { method: flip("GET") }))).toBe("apiSignatureInvalid");
      }),
    );
  });

  test("never makes the check throw", () => {
    const raw = fc.string({
      unit: fc.oneof(fc.constantFrom("%", "&", "=", "+", "auth_key", "[]"), fc.string()),
    });
    fc.assert(
      fc.property(raw, raw, (query, path) => {
        reasonOf(request(`auth_key=${PAIR.key}&auth_version=1.0&auth_timestamp=${NOW}&${query}`, { path }));
        verifyBody(digest, new Query(query), new TextEncoder().encode(path));
      }),
    );
  });
});

describe("body", () => {
  const body = new TextEncoder().encode("{}");

  test("needs its hash, in lower-case hex", () => {
    expect(verifyBody(digest, new Query(""), body)?.reason).toBe("apiBodyHashMissing");
    expect(verifyBody(digest, new Query("body_md5=99914b932bd37a50b983c5e7c90ae93b"), body)).toBeUndefined();
    expect(verifyBody(digest, new Query("body_md5=99914B932BD37A50B983C5E7C90AE93B"), body)?.reason).toBe(
      "apiBodyHashWrong",
    );
    expect(verifyBody(digest, new Query("body_md5="), body)?.reason).toBe("apiBodyHashWrong");
  });

  test("may be absent, with or without the hash of nothing", () => {
    const nothing = new Uint8Array();
    expect(verifyBody(digest, new Query(""), nothing)).toBeUndefined();
    expect(
      verifyBody(digest, new Query("body_md5=d41d8cd98f00b204e9800998ecf8427e"), nothing),
    ).toBeUndefined();
    expect(verifyBody(digest, new Query("body_md5=99914b932bd37a50b983c5e7c90ae93b"), nothing)?.reason).toBe(
      "apiBodyHashWrong",
    );
  });

  test("is refused with any one bit changed", () => {
    const query = new Query(`body_md5=${digest.md5Hex(body)}`);
    for (let bit = 0; bit < body.length * 8; bit++) {
      const changed = Uint8Array.from(body, (byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(verifyBody(digest, query, changed)?.reason).toBe("apiBodyHashWrong");
    }
  });
});
