/** What a path of the fallback names. */
export interface SessionPath {
  readonly key: string;
  /** Chosen by the client, with the key the name of the session and the only thing that opens it. */
  readonly id: string;
  readonly action: Action;
}

export type Action = "xhr_streaming" | "xhr" | "xhr_send";

const OWN = /^\/app\/([^/]+)\/([^/]+\/[^/]+)\/(xhr_streaming|xhr|xhr_send)$/;
const SESSION_ID = /^\d{1,3}\/[0-9a-v]{8}$/; // pusher-js: 0 to 999, then eight digits to the base 32

/** Undefined where the path is none of the fallback's. */
export function readSessionPath(path: string): SessionPath | undefined {
  const [, key, id, action] = OWN.exec(path) ?? [];
  return key === undefined || id === undefined || !isAction(action) ? undefined : { key, id, action };
}

export function isSessionId(id: string): boolean {
  return SESSION_ID.test(id);
}

function isAction(text: string | undefined): text is Action {
  return text === "xhr_streaming" || text === "xhr" || text === "xhr_send";
}
