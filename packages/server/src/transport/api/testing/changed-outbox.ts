import type { Outbox } from "#core/ports";

/** An outbox with another form of some of its methods. */
export function but(real: Outbox, over: Partial<Outbox>): Outbox {
  return {
    append: (appId, event) => real.append(appId, event),
    position: (appId) => real.position(appId),
    lagMs: (appId) => real.lagMs(appId),
    horizon: (appId) => real.horizon(appId),
    read: (query) => real.read(query),
    announced: (appId, channel, userId) => real.announced(appId, channel, userId),
    snapshot: (appId, prefix, withMembers) => real.snapshot(appId, prefix, withMembers),
    onCommitted: (listener) => real.onCommitted(listener),
    trim: (appId, delivered) => real.trim(appId, delivered),
    remembered: () => real.remembered(),
    forget: (appId) => real.forget(appId),
    ...over,
  };
}
