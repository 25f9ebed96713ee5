/** One webhook as it came: a server under test may send anything. */
import { parsed, recordOf } from "./frame.ts";
import { hmac } from "./hash.ts";

export type Event = Readonly<Record<string, unknown>>;

/** A key pair that may have signed. */
export interface Signer {
  readonly key: string;
  readonly secret: string;
}

export interface Delivery {
  readonly method: string;
  /** Path and query, of which the latter says what the endpoint's filter is: `?events=channel_occupied&prefix=private-`. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  readonly arrivedMs: number;
  /** What it was answered with. */
  readonly status: number;
  readonly timeMs: unknown;
  /** Those that are objects. */
  readonly events: readonly Event[];
}

export type Arrived = Omit<Delivery, "timeMs" | "events" | "status">;

export function readDelivery(arrived: Arrived, answer: (events: readonly Event[]) => number): Delivery {
  const fields = recordOf(parsed(textOf(arrived))) ?? {};
  const listed: unknown = fields["events"];
  const items: readonly unknown[] = Array.isArray(listed) ? listed : [];
  const events = items.map(recordOf).filter((event) => event !== undefined);
  return { ...arrived, timeMs: fields["time_ms"], events, status: answer(events) };
}

export function textOf({ body }: Pick<Delivery, "body">): string {
  return new TextDecoder().decode(body);
}

/** Whether its endpoint is one that takes only some of the events. */
export function isFiltered({ path }: Pick<Delivery, "path">): boolean {
  const filter = filterOf(path);
  return filter.events !== undefined || filter.prefix !== "" || filter.suffix !== "";
}

/** Whether its endpoint wants an event, by what its own address says. */
export function isWanted({ path }: Pick<Delivery, "path">, event: Event): boolean {
  const { events, prefix, suffix } = filterOf(path);
  const [name, channel] = [String(event["name"]), String(event["channel"])];
  return (events?.includes(name) ?? true) && channel.startsWith(prefix) && channel.endsWith(suffix);
}

/** Whether it is signed with this pair, over the bytes that came. */
export function isSignedWith({ headers, body }: Delivery, { key, secret }: Signer): boolean {
  return headers.get("x-pusher-key") === key && headers.get("x-pusher-signature") === hmac(secret, body);
}

function filterOf(path: string) {
  const query = new URLSearchParams(path.split("?")[1] ?? "");
  return {
    events: query.get("events")?.split(","),
    prefix: query.get("prefix") ?? "",
    suffix: query.get("suffix") ?? "",
  };
}
