import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  ERRORS,
  type ErrorName,
  type ErrorRow,
  LIMIT_OF,
  MAX_QUOTED_CHARS,
  ProtocolError,
  protocolError,
} from "./errors.ts";
import { error } from "./server-message.ts";
import { Golden } from "./testing/golden.ts";
import { everyRefusal } from "./testing/refusals.ts";

const NAMES = Object.keys(ERRORS) as ErrorName[]; // the table's own keys

function placeholders({ text, remedy }: ErrorRow): string[] {
  return [...`${text} ${remedy}`.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
}

test("the remedy of a refusal names the limit that it comes from, and no limit is without its name", () => {
  for (const [reason, limit] of Object.entries(LIMIT_OF)) {
    expect([reason, ERRORS[reason as ErrorName].remedy]).toEqual([reason, expect.stringContaining(limit)]);
  }
  expect(NAMES.filter((name) => ERRORS[name].type === "LimitReached" && !(name in LIMIT_OF))).toEqual([]);
});

describe("golden refusals", () => {
  const golden = new Golden("refusals");

  /** One line for each fact; the frame is what a WebSocket client gets. */
  const sheet = (failure: ProtocolError) =>
    [
      `reason: ${failure.reason}`,
      `code: ${failure.code}`,
      `closes: ${failure.isFatal}`,
      `status: ${failure.status}`,
      `type: ${failure.type}`,
      `message: ${failure.message}`,
      `remedy: ${failure.remedy}`,
      `frame: ${error(failure)}`,
      "",
    ].join("\n");

  test.each(everyRefusal().map((failure) => [failure.reason, failure] as const))("%s", (reason, failure) => {
    expect(sheet(failure)).toBe(golden.text(reason, sheet(failure)));
  });

  afterAll(() => expect(golden.strays).toEqual([]));
});

describe("the table", () => {
  test("has wire codes that clients know: 4000 to 4299 close, 4301 and null do not", () => {
    const documented = [
      4000, 4001, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4100, 4200, 4201, 4202, 4301, 4302,
    ];
    for (const name of NAMES) {
      const { code } = ERRORS[name];
      if (code !== null) expect(documented).toContain(code);
      expect(protocolError(name).isFatal).toBe(code !== null && code < 4300);
    }
  });

  test("has HTTP statuses that say whose fault it is", () => {
    for (const name of NAMES) {
      const { status, type } = ERRORS[name];
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status >= 500).toBe(type === "Unavailable" && status !== 408);
    }
  });

  test("gives every refusal a text and a remedy of one line", () => {
    for (const failure of everyRefusal()) {
      expect(failure.message).toMatch(/^[^\n]{5,}$/);
      expect(failure.remedy).toMatch(/^[^\n]{5,}$/);
    }
  });

  test("has texts whose blanks are all filled", () => {
    for (const failure of everyRefusal()) {
      expect(
        placeholders({ ...ERRORS[failure.reason], text: failure.message, remedy: failure.remedy }),
      ).toEqual([]);
      expect(failure.message).not.toContain("''");
      expect(failure.message).not.toMatch(/\s$| {2}/);
    }
  });

  test.each<[ErrorName, string]>([
    ["appUnknown", "App key {key} not in this cluster. Did you forget to specify the cluster?"],
    ["connectionQuota", "Account over quota"],
    ["authorizationTimeout", "Connection not authorized within timeout"],
    ["shuttingDown", "Please reconnect immediately"],
    ["pongTimeout", "Pong reply not received"],
    ["signatureInvalid", "Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {got}"],
    ["authKeyInvalid", "Invalid key in subscription auth data: '{key}'"],
    ["subscriptionExists", "Existing subscription to channel {channel}"],
    ["subscriptionMissing", "No current subscription to channel {channel}, or subscription in progress"],
    [
      "clientEventsDisabled",
      "To send client events, you must enable this feature in the Settings page of your dashboard.",
    ],
    ["clientEventPublic", "Client event rejected - only supported on private and presence channels"],
    [
      "clientEventNotSubscribed",
      "Cannot broadcast client event (connection not subscribed to channel {channel})",
    ],
    ["clientEventInvalid", "Invalid client event (must contain channel and data)"],
    ["eventUnsupported", "Unsupported event received on socket:'{event}'"],
    ["frameInvalidJson", "Received invalid JSON"],
    ["apiKeyMissing", "Missing parameter: auth_key"],
    ["apiKeyUnknown", "Unknown auth_key"],
    ["apiVersionMissing", "Version required"],
    ["apiVersionUnsupported", "Version not supported"],
    ["apiTimestampMissing", "Timestamp required"],
    [
      "apiTimestampExpired",
      "Timestamp expired: Given timestamp ({given}) not within 600s of server time ({server})",
    ],
    [
      "apiSignatureInvalid",
      "Invalid signature: you should have sent HmacSHA256Hex({signed}, your_secret_key), but you sent {got}",
    ],
    [
      "apiDataTooLarge",
      "The data content of this event exceeds the allowed maximum ({limit} bytes). See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info",
    ],
    ["apiUserCountNeedsPresence", "Cannot retrieve the user count unless the channel is a presence channel"],
  ])("keeps the service's text of %s", (name, text) => {
    expect(ERRORS[name]).toMatchObject({ text, source: "service" });
  });
});

describe("a refusal", () => {
  test("repeats values as they are, also those that look like blanks or patterns", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(fc.constantFrom("{key}", "$&", "$1", "{app}", "\\"), fc.string()) }),
        (key) => {
          const shown = key.length <= MAX_QUOTED_CHARS ? key : "";
          expect(protocolError("authKeyInvalid", { key }).message).toBe(
            `Invalid key in subscription auth data: '${shown}'`,
          );
        },
      ),
    );
  });

  test("repeats a long value only as far as it helps, and says how long it was", () => {
    const { message } = protocolError("authKeyInvalid", { key: "k".repeat(50_000) });
    expect(message).toBe(
      `Invalid key in subscription auth data: '${"k".repeat(MAX_QUOTED_CHARS)}... (50000 characters)'`,
    );
  });

  test("leaves nothing but blanks where a value is missing", () => {
    expect(protocolError("authKeyInvalid").message).toBe("Invalid key in subscription auth data: ''");
  });

  test("is a value and no exception", () => {
    const failure = protocolError("presenceFull", { channel: "presence-x" }, { limit: 1, actual: 2 });
    expect(failure).toBeInstanceOf(ProtocolError);
    expect(failure).not.toBeInstanceOf(Error);
    expect(failure).toMatchObject({
      code: null,
      status: 403,
      type: "LimitReached",
      measured: { limit: 1, actual: 2 },
    });
  });
});
