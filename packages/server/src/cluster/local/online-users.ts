import { type OnlineUsers, type SignIn, topicOf } from "#core/ports";

/** The users of one process. Every answer is there at once. */
export class LocalOnlineUsers implements OnlineUsers {
  /** Socket ids of each user who is online; none where the user has left and has not lapsed yet. */
  readonly #sockets = new Map<string, Set<string>>();

  arrive({ appId, userId, socketId }: SignIn): boolean {
    const key = topicOf(appId, userId);
    const sockets = this.#sockets.get(key);
    if (sockets === undefined) this.#sockets.set(key, new Set([socketId]));
    else sockets.add(socketId);
    return sockets === undefined;
  }

  leave({ appId, userId, socketId }: SignIn): boolean {
    const sockets = this.#sockets.get(topicOf(appId, userId));
    return sockets?.delete(socketId) === true && sockets.size === 0;
  }

  lapse(appId: string, userId: string): boolean {
    const key = topicOf(appId, userId);
    return this.#sockets.get(key)?.size === 0 && this.#sockets.delete(key);
  }

  online(appId: string, userIds: readonly string[]): ReadonlySet<string> {
    return new Set(userIds.filter((userId) => this.#sockets.has(topicOf(appId, userId))));
  }
}
