/** A message of the server, taken as it comes: a server under test may send anything. */
import { Finding, must, shown } from "./finding.ts";

export interface Frame {
  /** Empty where it has none. `(ping)`, `(pong)`, `(close)` and `(binary)` are frames of the WebSocket itself. */
  readonly event: string;
  readonly channel: unknown;
  readonly data: unknown;
  /** All members. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** As it came. */
  readonly raw: string;
}

export type Match = string | ((frame: Frame) => boolean);

export function readFrame(raw: string): Frame {
  const fields = recordOf(parsed(raw)) ?? {};
  const event = typeof fields["event"] === "string" ? fields["event"] : "";
  return { event, channel: fields["channel"], data: fields["data"], fields, raw };
}

export function controlFrame(name: string, content: string): Frame {
  return { event: name, channel: undefined, data: content, fields: {}, raw: `${name} ${content}`.trim() };
}

/** What the string `data` of a frame holds. @throws Finding where it is no string of a JSON object */
export function innerOf(frame: Frame): Readonly<Record<string, unknown>> {
  must(typeof frame.data === "string", () => `data is not a string: ${shown(frame.raw)}`);
  const inner = recordOf(parsed(frame.data));
  if (inner === undefined) throw new Finding(`data is not the JSON of an object: ${shown(frame.raw)}`);
  return inner;
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // whoever asks takes this for "not JSON"
  }
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Readonly<Record<string, unknown>>; // an object, so its members can be asked for
}

/** The `data` of a `pusher:error`, as far as it is the object that it should be. */
export function errorOf(frame: Frame): Readonly<Record<string, unknown>> {
  must(frame.event === "pusher:error", () => `not a pusher:error but ${shown(frame.raw)}`);
  const data = recordOf(frame.data);
  if (data === undefined) throw new Finding(`the data of pusher:error is not an object: ${shown(frame.raw)}`);
  return data;
}
