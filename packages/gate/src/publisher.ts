/**
 * What the gate uses of the official `pusher` library. An instance of its class fits; nothing of it is imported, so any
 * version 5 does.
 */
export interface Publisher {
  trigger(channel: string | string[], event: string, data: unknown, params?: TriggerParams): Promise<unknown>;
  get(request: { path: string; params?: Record<string, unknown> }): Promise<ApiAnswer>;
  post(request: { path: string; body: unknown }): Promise<ApiAnswer>;
  createSignedQueryString(request: {
    method: string;
    path: string;
    params?: Record<string, unknown>;
  }): string;
  webhook(request: { headers: object; rawBody: string }): { isValid(extraTokens?: Token[]): boolean };
}

/** As for `pusher.trigger`: `socket_id` is the connection that is left out. */
export interface TriggerParams {
  readonly socket_id?: string;
  readonly info?: string;
}

/** A key and its secret, as the app has them. */
export interface Token {
  readonly key: string;
  readonly secret: string;
}

export interface ApiAnswer {
  readonly status: number;
  json(): Promise<unknown>;
}

/** Whether the server will say the same again: it refused the message itself, or the library did. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // `RequestError` of the library carries the URL, and the status where there was an answer.
  const status: unknown = Reflect.get(error, "status");
  if (typeof status === "number") return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
  return Reflect.get(error, "url") === undefined;
}
