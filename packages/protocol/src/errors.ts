/**
 * Every refusal that Earshot can give, by name: its wire code, its text, what a client does about it, where it comes from.
 * Texts of the hosted service that are known stay verbatim, because clients and people search for them.
 * `{word}` in a text is replaced by a value of the case.
 *
 * @see docs/protocol/errors.md (a test compares the page with this table)
 */

export interface ErrorRow {
  /** WebSocket code: 4000 to 4299 close the connection, 4300 to 4399 and null leave it open. */
  readonly code: number | null;
  /** HTTP status, where the API or a subscription error carries it. */
  readonly status: number;
  /** `type` in a subscription error. */
  readonly type: "AuthError" | "LimitReached" | "InvalidRequest" | "Unavailable";
  readonly text: string;
  readonly remedy: string;
  readonly source: "documented" | "service" | "ours";
}

const row = (
  code: number | null,
  status: number,
  type: ErrorRow["type"],
  source: ErrorRow["source"],
  text: string,
  remedy: string,
): ErrorRow => ({ code, status, type, source, text, remedy });

const API_LINK = "See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info";

export const ERRORS = {
  // Fatal: a `pusher:error` frame, then a close frame with the same code.
  tlsRequired: row(
    4000,
    403,
    "AuthError",
    "documented",
    "Application only accepts SSL connections, reconnect using wss://",
    "Connect with TLS, or switch tlsOnly off for the app.",
  ),
  appUnknown: row(
    4001,
    404,
    "AuthError",
    "service",
    "App key {key} not in this cluster. Did you forget to specify the cluster?",
    "Use the key of an app of this server: `earshot apps list` shows them.",
  ),
  appDisabled: row(
    4003,
    403,
    "AuthError",
    "documented",
    "Application disabled",
    "Enable the app: `earshot apps update {app} --enabled true`.",
  ),
  connectionQuota: row(
    4004,
    403,
    "LimitReached",
    "service",
    "Account over quota",
    "Raise the app's limit maxConnections, or close connections that nobody needs.",
  ),
  pathUnknown: row(
    4005,
    404,
    "InvalidRequest",
    "documented",
    "Path not found",
    "Connect to /app/KEY, after a path prefix only if the server is set to serve it.",
  ),
  protocolUnsupported: row(
    4007,
    400,
    "InvalidRequest",
    "documented",
    "Unsupported protocol version: {version}",
    "Ask for a protocol version from 4 to 7.",
  ),
  protocolMissing: row(
    4008,
    400,
    "InvalidRequest",
    "documented",
    "No protocol version supplied",
    "Add protocol=7 to the query of the connection.",
  ),
  originRefused: row(
    4009,
    403,
    "AuthError",
    "ours",
    "Connection is unauthorized: origin {origin} is not allowed",
    "Add the page's origin to the app's allowedOrigins.",
  ),
  authorizationTimeout: row(
    4009,
    401,
    "AuthError",
    "service",
    "Connection not authorized within timeout",
    "Sign in, or subscribe to a private or presence channel, within the app's limit authorizationTimeoutSeconds.",
  ),
  userTerminated: row(
    4009,
    403,
    "AuthError",
    "ours",
    "You got disconnected by the app.",
    "The app's back-end ended all connections of this user: reconnect only when the user asks for it.",
  ),
  overCapacity: row(
    4100,
    503,
    "Unavailable",
    "documented",
    "Over capacity",
    "Reconnect after a second or more.",
  ),
  queueOverflow: row(
    4100,
    429,
    "LimitReached",
    "ours",
    "Over capacity: messages arrive faster than they can be answered",
    "Wait for answers before you send more, or raise the setting socket.maxQueuedMessages; reconnect after a second or more.",
  ),
  fallbackBacklog: row(
    4100,
    429,
    "LimitReached",
    "ours",
    "Over capacity: more waits for this client than may wait",
    "Reconnect after a second or more and read faster, or raise the setting socket.maxBackpressureBytes.",
  ),
  shuttingDown: row(
    4200,
    503,
    "Unavailable",
    "service",
    "Please reconnect immediately",
    "Reconnect: another process takes over.",
  ),
  pongTimeout: row(
    4201,
    408,
    "Unavailable",
    "service",
    "Pong reply not received",
    "Answer ping frames; reconnect.",
  ),

  // Not fatal: a `pusher:error` frame, the connection lives.
  frameInvalidJson: row(
    null,
    400,
    "InvalidRequest",
    "service",
    "Received invalid JSON",
    "Send one JSON object a message, as text.",
  ),
  frameNotObject: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    'Received a message that is not a JSON object with a string "event"',
    'Send {"event": name, "data": ...}.',
  ),
  frameBinary: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Received a binary message",
    "Send text: the protocol has no binary messages.",
  ),
  frameTooLarge: row(
    null,
    413,
    "LimitReached",
    "ours",
    "Received a message that is too large",
    "Send a smaller message, or raise the app's limit maxFrameBytes.",
  ),
  eventUnsupported: row(
    null,
    400,
    "InvalidRequest",
    "service",
    "Unsupported event received on socket:'{event}'",
    "Clients may send pusher:subscribe, pusher:unsubscribe, pusher:signin, pusher:ping, pusher:pong and names that start with client-.",
  ),
  signatureInvalid: row(
    null,
    401,
    "AuthError",
    "service",
    "Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {got}",
    "Sign exactly that string with the secret that belongs to the key.",
  ),
  authKeyInvalid: row(
    null,
    401,
    "AuthError",
    "service",
    "Invalid key in subscription auth data: '{key}'",
    "auth is KEY:SIGNATURE with an active key of the app that the client connected to.",
  ),
  subscriptionExists: row(
    null,
    409,
    "InvalidRequest",
    "service",
    "Existing subscription to channel {channel}",
    "One subscribe a channel is enough; the first one stays.",
  ),
  subscriptionMissing: row(
    null,
    404,
    "InvalidRequest",
    "service",
    "No current subscription to channel {channel}, or subscription in progress",
    "Unsubscribe from channels that you are subscribed to.",
  ),
  subscriptionLimit: row(
    null,
    403,
    "LimitReached",
    "ours",
    "Too many subscriptions on this connection",
    "Unsubscribe from channels that are no longer shown, or raise the app's limit maxSubscriptionsPerConnection.",
  ),
  channelNameInvalid: row(
    null,
    400,
    "InvalidRequest",
    "service",
    "Invalid channel name {channel}",
    "Use letters, digits and _ - = @ , . ; only.",
  ),
  channelNameTooLong: row(
    null,
    400,
    "LimitReached",
    "service",
    "Invalid channel name {channel}: it is too long",
    "Use a shorter name, or raise the app's limit maxChannelNameChars.",
  ),
  userChannelRefused: row(
    null,
    401,
    "AuthError",
    "ours",
    "Not signed in as the user of channel {channel}",
    "Sign in as that user first.",
  ),
  channelDataMissing: row(
    null,
    401,
    "AuthError",
    "ours",
    "{channel} is a presence channel and subscription must include channel_data",
    "Let the authorization endpoint return channel_data with a user_id, or sign in first.",
  ),
  channelDataInvalid: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Invalid channel_data for channel {channel}: {problem}",
    'channel_data is a string with the JSON object {"user_id": ..., "user_info": {...}}.',
  ),
  userIdTooLong: row(
    null,
    400,
    "LimitReached",
    "ours",
    "The user_id for channel {channel} is too long",
    "Use a shorter user_id, or raise the app's limit maxUserIdChars.",
  ),
  memberTooLarge: row(
    null,
    413,
    "LimitReached",
    "ours",
    "The user_info for channel {channel} is too large",
    "Send less user_info, or raise the app's limit maxMemberBytes.",
  ),
  presenceFull: row(
    null,
    403,
    "LimitReached",
    "ours",
    "Presence channel {channel} is full",
    "Use a smaller channel, or raise the app's limit maxPresenceMembers.",
  ),
  quotaReached: row(
    null,
    403,
    "LimitReached",
    "ours",
    "Channel {channel} has as many subscriptions as its quota allows",
    "Unsubscribe from it elsewhere, or raise the app's quota, or max_subscriptions in the signed channel_data; the lowest counts.",
  ),
  quotaInvalid: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Invalid max_subscriptions in channel_data for channel {channel}: {value}",
    "Let the authorization endpoint sign a whole number from 1 to {highest}, or leave it out.",
  ),
  signInKeyInvalid: row(
    null,
    401,
    "AuthError",
    "ours",
    "Invalid key in user authentication data: '{key}'",
    "auth is KEY:SIGNATURE with an active key of the app that the client connected to.",
  ),
  signedInAsAnother: row(
    null,
    409,
    "AuthError",
    "ours",
    "This connection is already signed in as another user: {user}",
    "Open a new connection for the other user.",
  ),
  userDataInvalid: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Invalid user_data: {problem}",
    'user_data is a string with the JSON object {"id": "...", "user_info": {...}, "watchlist": ["..."]}.',
  ),
  signInIdTooLong: row(
    null,
    400,
    "LimitReached",
    "ours",
    "The id in user_data is too long",
    "Use a shorter id, or raise the app's limits maxUserIdChars and maxChannelNameChars.",
  ),
  signInInfoTooLarge: row(
    null,
    413,
    "LimitReached",
    "ours",
    "The user_info in user_data is too large",
    "Send less user_info, or raise the app's limit maxMemberBytes.",
  ),
  watchlistLimit: row(
    4302,
    413,
    "LimitReached",
    "documented",
    "The watchlist is longer than the limit of {limit} users. Only these are watched: {users}",
    "Watch fewer users, or raise the app's limit maxWatchlist.",
  ),
  clientEventsDisabled: row(
    null,
    403,
    "AuthError",
    "service",
    "To send client events, you must enable this feature in the Settings page of your dashboard.",
    "`earshot apps update {app} --client-events true`",
  ),
  clientEventPublic: row(
    null,
    403,
    "AuthError",
    "service",
    "Client event rejected - only supported on private and presence channels",
    "Use a private- or presence- channel.",
  ),
  clientEventEncrypted: row(
    null,
    403,
    "AuthError",
    "ours",
    "Client event rejected - not supported on encrypted channels",
    "Use a private- or presence- channel without encryption.",
  ),
  clientEventNotSubscribed: row(
    null,
    403,
    "AuthError",
    "service",
    "Cannot broadcast client event (connection not subscribed to channel {channel})",
    "Subscribe first and wait for subscription_succeeded.",
  ),
  clientEventInvalid: row(
    null,
    400,
    "InvalidRequest",
    "service",
    "Invalid client event (must contain channel and data)",
    'Send {"event": "client-...", "channel": name, "data": ...}.',
  ),
  clientEventRate: row(
    4301,
    429,
    "LimitReached",
    "documented",
    "The client event was rejected because the rate limit for sending client events was exceeded",
    "Send fewer client events a second, or raise the app's limit maxClientEventsPerSecond.",
  ),
  clientEventTooLarge: row(
    null,
    413,
    "LimitReached",
    "ours",
    "The data content of this client event is too large",
    "Send less data, or raise the app's limit maxEventBytes.",
  ),
  eventNameTooLong: row(
    null,
    400,
    "LimitReached",
    "ours",
    "The event name is too long",
    "Use a shorter event name, or raise the app's limit maxEventNameChars.",
  ),
  unavailable: row(
    null,
    503,
    "Unavailable",
    "ours",
    "The server could not answer",
    "Try again; the server's log says why.",
  ),

  // HTTP API.
  apiKeyMissing: row(
    null,
    401,
    "AuthError",
    "service",
    "Missing parameter: auth_key",
    "Sign the request: auth_key, auth_timestamp, auth_version, auth_signature.",
  ),
  apiKeyUnknown: row(
    null,
    401,
    "AuthError",
    "service",
    "Unknown auth_key",
    "Use an active key of app {app}.",
  ),
  apiVersionMissing: row(null, 401, "AuthError", "service", "Version required", "Add auth_version=1.0."),
  apiVersionUnsupported: row(
    null,
    401,
    "AuthError",
    "service",
    "Version not supported",
    "Use auth_version=1.0.",
  ),
  apiTimestampMissing: row(
    null,
    401,
    "AuthError",
    "service",
    "Timestamp required",
    "Add auth_timestamp in Unix seconds.",
  ),
  apiTimestampExpired: row(
    null,
    401,
    "AuthError",
    "service",
    "Timestamp expired: Given timestamp ({given}) not within 600s of server time ({server})",
    "Set the clock of the machine that signs, and sign each request anew.",
  ),
  apiSignatureInvalid: row(
    null,
    401,
    "AuthError",
    "service",
    "Invalid signature: you should have sent HmacSHA256Hex({signed}, your_secret_key), but you sent {got}",
    "Sign that string with the secret of the key.",
  ),
  apiBodyHashMissing: row(
    null,
    401,
    "AuthError",
    "ours",
    "Missing parameter: body_md5",
    "Add the MD5 of the body, in hex, to the signed parameters.",
  ),
  apiBodyHashWrong: row(
    null,
    401,
    "AuthError",
    "ours",
    "Invalid body_md5: the body has {expected}, you sent {got}",
    "Hash exactly the bytes that you send.",
  ),
  apiAppUnknown: row(
    null,
    404,
    "InvalidRequest",
    "ours",
    "The app {app} could not be found",
    "Use the id of an app of this server: `earshot apps list` shows them.",
  ),
  apiEndpointUnknown: row(
    null,
    404,
    "InvalidRequest",
    "ours",
    "The webhook endpoint {endpoint} could not be found",
    "Name an endpoint of this app by its id or its URL: `earshot webhooks list` shows them.",
  ),
  apiPathUnknown: row(
    null,
    404,
    "InvalidRequest",
    "ours",
    "Not found: {path}",
    "The API is POST /apps/ID/events, POST /apps/ID/batch_events, GET /apps/ID/channels, /channels/NAME, /channels/NAME/users, POST /apps/ID/users/USER/terminate_connections.",
  ),
  fallbackSessionUnknown: row(
    null,
    404,
    "InvalidRequest",
    "ours",
    "There is no fallback session {session}",
    "Open one with a POST to /app/KEY/SERVER/ID/xhr_streaming or /xhr: SERVER is 0 to 999, ID eight characters of 0-9 and a-v.",
  ),
  fallbackBodyInvalid: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "The body of xhr_send is not valid: {problem}",
    "Send a JSON array of strings, each of them one message.",
  ),
  apiMethodWrong: row(
    null,
    405,
    "InvalidRequest",
    "ours",
    "{method} is not supported for {path}",
    "Use {allowed}.",
  ),
  apiBodyTooLarge: row(
    null,
    413,
    "LimitReached",
    "ours",
    "The request body is too large",
    "Send fewer or smaller events in a request, or raise the setting http.maxBodyBytes.",
  ),
  apiBodyInvalid: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "The request body is not valid: {problem}",
    "Send one JSON object, as UTF-8.",
  ),
  apiParameterMissing: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Missing parameter: {parameter}",
    "Add it to the JSON body.",
  ),
  apiParameterInvalid: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Invalid parameter {parameter}: {problem}",
    "Send it as documented for this request.",
  ),
  apiEventNameReserved: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Invalid event name {event}: names that start with pusher: or pusher_internal: belong to the protocol",
    "Use another name.",
  ),
  apiTooManyChannels: row(
    null,
    400,
    "LimitReached",
    "ours",
    "Too many channels in one publish",
    "Publish in several requests, or raise the app's limit maxChannelsPerEvent.",
  ),
  apiTooManyEvents: row(
    null,
    400,
    "LimitReached",
    "ours",
    "Too many events in one batch",
    "Publish in several requests, or raise the app's limit maxBatchEvents.",
  ),
  apiDataTooLarge: row(
    null,
    413,
    "LimitReached",
    "service",
    `The data content of this event exceeds the allowed maximum ({limit} bytes). ${API_LINK}`,
    "Send less data, or raise the app's limit maxEventBytes.",
  ),
  apiSocketIdInvalid: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Invalid socket id {socketId}",
    "A socket id is two decimal numbers with a dot between, as connection_established gives it.",
  ),
  apiUserCountNeedsPrefix: row(
    null,
    400,
    "InvalidRequest",
    "service",
    "user_count may only be requested for presence channels - please supply filter_by_prefix beginning with presence-",
    "Add filter_by_prefix=presence-.",
  ),
  apiUserCountNeedsPresence: row(
    null,
    400,
    "InvalidRequest",
    "service",
    "Cannot retrieve the user count unless the channel is a presence channel",
    "Ask for a presence- channel, or leave user_count out.",
  ),
  apiSubscriptionCountPresence: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Cannot retrieve the subscription count of a presence channel",
    "Ask for user_count instead.",
  ),
  apiSubscriptionCountDisabled: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Cannot retrieve the subscription count: it is not enabled for the app",
    "`earshot apps update {app} --subscription-count true`",
  ),
  apiCacheNeedsCacheChannel: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Cannot retrieve the cache unless the channel is a cache channel",
    "Ask for a cache- channel, or leave cache out.",
  ),
  apiUsersNeedPresence: row(
    null,
    400,
    "InvalidRequest",
    "ours",
    "Users can only be retrieved for presence channels",
    "Ask for a channel that starts with presence-.",
  ),
  apiUnavailable: row(
    null,
    503,
    "Unavailable",
    "ours",
    "The state is not known right now: {problem}",
    "Ask again in a few seconds.",
  ),
} as const satisfies Record<string, ErrorRow>;

/** The limit or setting that a refusal comes from, where it comes from one; its remedy names it too. */
export const LIMIT_OF: Readonly<Partial<Record<keyof typeof ERRORS, string>>> = {
  connectionQuota: "maxConnections",
  queueOverflow: "socket.maxQueuedMessages",
  fallbackBacklog: "socket.maxBackpressureBytes",
  authorizationTimeout: "authorizationTimeoutSeconds",
  frameTooLarge: "maxFrameBytes",
  subscriptionLimit: "maxSubscriptionsPerConnection",
  channelNameTooLong: "maxChannelNameChars",
  userIdTooLong: "maxUserIdChars",
  signInIdTooLong: "maxUserIdChars",
  memberTooLarge: "maxMemberBytes",
  signInInfoTooLarge: "maxMemberBytes",
  presenceFull: "maxPresenceMembers",
  quotaReached: "max_subscriptions",
  watchlistLimit: "maxWatchlist",
  clientEventRate: "maxClientEventsPerSecond",
  clientEventTooLarge: "maxEventBytes",
  eventNameTooLong: "maxEventNameChars",
  apiBodyTooLarge: "http.maxBodyBytes",
  apiTooManyChannels: "maxChannelsPerEvent",
  apiTooManyEvents: "maxBatchEvents",
  apiDataTooLarge: "maxEventBytes",
};

export type ErrorName = keyof typeof ERRORS;

export interface Measured {
  readonly limit?: number;
  readonly actual?: number;
}

/** An expected failure as a value: returned, never thrown. */
export class ProtocolError {
  readonly reason: ErrorName;
  readonly message: string;
  readonly remedy: string;
  readonly measured: Measured;

  constructor(reason: ErrorName, message: string, remedy: string, measured: Measured) {
    this.reason = reason;
    this.message = message;
    this.remedy = remedy;
    this.measured = measured;
  }

  get code(): number | null {
    return ERRORS[this.reason].code;
  }

  get status(): number {
    return ERRORS[this.reason].status;
  }

  get type(): ErrorRow["type"] {
    return ERRORS[this.reason].type;
  }

  /** The connection does not survive it. */
  get isFatal(): boolean {
    const { code } = this;
    return code !== null && code < 4300;
  }
}

export const MAX_QUOTED_CHARS = 2_048; // ours: a refusal repeats what it refuses, but not without end

/** A failure of the table, with the values of this case in its text. */
export function protocolError(
  reason: ErrorName,
  values: Readonly<Record<string, string>> = {},
  measured: Measured = {},
): ProtocolError {
  const all: Record<string, string> =
    measured.limit === undefined ? values : { limit: String(measured.limit), ...values };
  const fill = (template: string) =>
    template.replace(/\{(\w+)\}/g, (_, name: string) => shorten(all[name] ?? ""));
  return new ProtocolError(reason, fill(ERRORS[reason].text), fill(ERRORS[reason].remedy), measured);
}

function shorten(text: string): string {
  return text.length <= MAX_QUOTED_CHARS
    ? text
    : `${text.slice(0, MAX_QUOTED_CHARS)}... (${text.length} characters)`;
}
