import type { StampedEvent } from "@earshot/protocol/webhook";
import { subjectOf } from "./subject.ts";

/** Channels that are occupied, and members that are there, by subject. */
export type View = ReadonlySet<string>;

/** The subject of a state event and what it says of it; undefined for other events. */
export function stateOf(
  event: Pick<StampedEvent, "name" | "channel">,
): { readonly subject: string; readonly isPresent: boolean } | undefined {
  const userId = "user_id" in event ? String(event.user_id) : undefined;
  switch (event.name) {
    case "channel_occupied":
    case "channel_vacated":
      return { subject: subjectOf(event.channel), isPresent: event.name === "channel_occupied" };
    case "member_added":
    case "member_removed":
      return { subject: subjectOf(event.channel, userId), isPresent: event.name === "member_added" };
    default:
      return undefined;
  }
}

/** Believes each event as it comes, like `SADD` and `SREM`. */
export class NaiveView {
  readonly #present = new Set<string>();

  apply(event: StampedEvent): void {
    const state = stateOf(event);
    if (state?.isPresent === true) this.#present.add(state.subject);
    else if (state !== undefined) this.#present.delete(state.subject);
  }

  get present(): View {
    return this.#present;
  }
}

/** Drops what is older than what it knows. */
export class OrderedView {
  readonly #known = new Map<string, { readonly version: number; readonly isPresent: boolean }>();

  apply(event: StampedEvent): void {
    const state = stateOf(event);
    if (state !== undefined && event.version > (this.versionOf(state.subject) ?? 0))
      this.#known.set(state.subject, { version: event.version, isPresent: state.isPresent });
  }

  /** Of the newest state that is known of it. */
  versionOf(subject: string): number | undefined {
    return this.#known.get(subject)?.version;
  }

  get present(): View {
    const present = [...this.#known].filter(([, { isPresent }]) => isPresent);
    return new Set(present.map(([subject]) => subject));
  }
}

export function viewOfLog(log: readonly StampedEvent[]): View {
  const view = new OrderedView();
  for (const event of log) view.apply(event);
  return view.present;
}

/** What one has and the other has not, for a person; undefined where they are equal. */
export function difference(view: View, truth: View): string | undefined {
  const missing = [...truth.difference(view)];
  const surplus = [...view.difference(truth)];
  if (missing.length + surplus.length === 0) return undefined;
  return `missing: ${missing.sort().join(", ") || "nothing"}; surplus: ${surplus.sort().join(", ") || "nothing"}`;
}

/** A channel that the two do not agree about. */
export function disputed(view: View, truth: View): string | undefined {
  const [subject] = view.symmetricDifference(truth);
  return subject?.split("/")[0];
}
