// biome-ignore-all lint/style/noRestrictedImports: golden cases for tests; it imports only files of the protocol
import { type ErrorName, type Measured, type ProtocolError, protocolError } from "../errors.ts";

interface Case {
  readonly values?: Readonly<Record<string, string>>;
  readonly measured?: Measured;
}

/** One case of every refusal: the values of the golden files. A row of the table without a case does not compile. */
const CASES: Readonly<Record<ErrorName, Case>> = {
  tlsRequired: {},
  appUnknown: { values: { key: "9f1c2e7a4b5d6083c1ab" } },
  appDisabled: { values: { app: "4711" } },
  connectionQuota: { measured: { limit: 100, actual: 101 } },
  pathUnknown: {},
  protocolUnsupported: { values: { version: "8" } },
  protocolMissing: {},
  originRefused: { values: { origin: "https://elsewhere.example" } },
  authorizationTimeout: {},
  userTerminated: {},
  overCapacity: {},
  queueOverflow: { measured: { limit: 256, actual: 257 } },
  fallbackBacklog: { measured: { limit: 1_048_576, actual: 1_048_600 } },
  shuttingDown: {},
  pongTimeout: {},
  frameInvalidJson: {},
  frameNotObject: {},
  frameBinary: {},
  frameTooLarge: { measured: { limit: 81_920, actual: 90_000 } },
  eventUnsupported: { values: { event: "pusher:auth" } },
  signatureInvalid: { values: { signed: "13.37:private-orders-42", got: "0000" } },
  authKeyInvalid: { values: { key: "nobody" } },
  subscriptionExists: { values: { channel: "news" } },
  subscriptionMissing: { values: { channel: "news" } },
  subscriptionLimit: { measured: { limit: 10_000, actual: 10_001 } },
  channelNameInvalid: { values: { channel: "not a name" } },
  channelNameTooLong: { values: { channel: "n".repeat(201) }, measured: { limit: 200, actual: 201 } },
  userChannelRefused: { values: { channel: "#server-to-user-u-7" } },
  channelDataMissing: { values: { channel: "presence-room-1" } },
  channelDataInvalid: { values: { channel: "presence-room-1", problem: "it is not JSON" } },
  userIdTooLong: { values: { channel: "presence-room-1" }, measured: { limit: 128, actual: 129 } },
  memberTooLarge: { values: { channel: "presence-room-1" }, measured: { limit: 1_024, actual: 1_025 } },
  presenceFull: { values: { channel: "presence-room-1" }, measured: { limit: 100, actual: 101 } },
  signInKeyInvalid: { values: { key: "nobody" } },
  signedInAsAnother: { values: { user: "u-7" } },
  userDataInvalid: { values: { problem: "it is not JSON" } },
  signInIdTooLong: { measured: { limit: 128, actual: 129 } },
  signInInfoTooLarge: { measured: { limit: 1_024, actual: 1_025 } },
  watchlistLimit: { values: { users: "u-1, u-2" }, measured: { limit: 2, actual: 3 } },
  clientEventsDisabled: { values: { app: "4711" } },
  clientEventPublic: {},
  clientEventEncrypted: {},
  clientEventNotSubscribed: { values: { channel: "private-orders-42" } },
  clientEventInvalid: {},
  clientEventRate: { measured: { limit: 10, actual: 11 } },
  clientEventTooLarge: { measured: { limit: 10_240, actual: 10_241 } },
  eventNameTooLong: { measured: { limit: 200, actual: 201 } },
  unavailable: {},
  apiKeyMissing: {},
  apiKeyUnknown: { values: { app: "4711" } },
  apiVersionMissing: {},
  apiVersionUnsupported: {},
  apiTimestampMissing: {},
  apiTimestampExpired: { values: { given: "2013-09-29T08:46:33Z", server: "2013-09-29T08:36:32Z" } },
  apiSignatureInvalid: {
    values: { signed: '"GET\\n/apps/4711/channels\\nauth_key=9f1c2e7a4b5d6083c1aa"', got: '"0000"' },
  },
  apiBodyHashMissing: {},
  apiBodyHashWrong: {
    values: { expected: "99914b932bd37a50b983c5e7c90ae93b", got: "d41d8cd98f00b204e9800998ecf8427e" },
  },
  apiAppUnknown: { values: { app: "4712" } },
  apiPathUnknown: { values: { path: "/apps/4711/nothing" } },
  fallbackSessionUnknown: { values: { session: "793/34vlfh0e" } },
  fallbackBodyInvalid: { values: { problem: "it is not a JSON array" } },
  apiMethodWrong: { values: { method: "GET", path: "/apps/4711/events", allowed: "POST" } },
  apiBodyTooLarge: { measured: { limit: 2_097_152, actual: 2_097_153 } },
  apiBodyInvalid: { values: { problem: "it is not JSON" } },
  apiParameterMissing: { values: { parameter: "name" } },
  apiParameterInvalid: { values: { parameter: "channels", problem: "it must be an array of channel names" } },
  apiEventNameReserved: { values: { event: "pusher:ping" } },
  apiTooManyChannels: { measured: { limit: 100, actual: 101 } },
  apiTooManyEvents: { measured: { limit: 10, actual: 11 } },
  apiDataTooLarge: { measured: { limit: 10_240, actual: 10_241 } },
  apiSocketIdInvalid: { values: { socketId: "1.x" } },
  apiUserCountNeedsPrefix: {},
  apiUserCountNeedsPresence: {},
  apiSubscriptionCountPresence: {},
  apiSubscriptionCountDisabled: { values: { app: "4711" } },
  apiCacheNeedsCacheChannel: {},
  apiUsersNeedPresence: {},
  apiUnavailable: { values: { problem: "no answer from the cluster" } },
};

/** Every refusal once, with values as a server would give them. */
export function everyRefusal(): readonly ProtocolError[] {
  const names = Object.keys(CASES) as ErrorName[]; // the record's own keys
  return names.map((name) => protocolError(name, CASES[name].values, CASES[name].measured));
}
