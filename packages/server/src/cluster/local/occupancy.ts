import type { ChannelCounts, Join, Joined, Leave, Left, Member, Occupancy } from "#core/ports";

interface PresentUser {
  readonly member: Member;
  connections: number;
}

/** What is known of one channel: absolute numbers, not edges. */
interface Row {
  subscriptions: number;
  /** Only on presence channels; in order of arrival. */
  users: Map<string, PresentUser> | undefined;
}

const NOBODY: ChannelCounts = Object.freeze({ subscriptions: 0, users: 0 });

/** Is told in the same turn when somebody is where nobody was, and the other way round. */
export interface Edges {
  /** @param userId of a member; undefined for the channel itself */
  changed(appId: string, channel: string, userId: string | undefined, isPresent: boolean): void;
}

/** The rows of one process, in memory. Every answer is there at once. */
export class LocalOccupancy implements Occupancy {
  readonly #byApp = new Map<string, Map<string, Row>>();
  readonly #edges: Edges | undefined;

  constructor(edges?: Edges) {
    this.#edges = edges;
  }

  join({ appId, channel, member, maxMembers, maxSubscriptions }: Join): Joined {
    const row = this.#byApp.get(appId)?.get(channel) ?? { subscriptions: 0, users: undefined };
    if (maxSubscriptions !== undefined && row.subscriptions >= maxSubscriptions) {
      const actual = row.subscriptions + 1;
      return { joined: false, refusal: "subscriptions", limit: maxSubscriptions, actual };
    }
    if (member === undefined) {
      this.#keep(appId, channel, row);
      return { joined: true, subscriptions: ++row.subscriptions, memberIsNew: false };
    }
    const users = row.users ?? new Map<string, PresentUser>();
    const present = users.get(member.userId);
    if (present === undefined && users.size >= maxMembers) {
      return { joined: false, refusal: "members", limit: maxMembers, actual: users.size + 1 };
    }
    if (present === undefined) users.set(member.userId, { member, connections: 1 });
    else present.connections++; // the first info stays until the user is gone entirely
    row.users = users;
    this.#keep(appId, channel, row);
    if (present === undefined) this.#edges?.changed(appId, channel, member.userId, true);
    return {
      joined: true,
      subscriptions: ++row.subscriptions,
      members: [...users.values()].map((user) => user.member),
      memberIsNew: present === undefined,
    };
  }

  leave({ appId, channel, userId }: Leave): Left {
    const rows = this.#byApp.get(appId);
    const row = rows?.get(channel);
    if (rows === undefined || row === undefined) return { subscriptions: 0, memberIsGone: false };
    row.subscriptions--;
    const user = userId === undefined ? undefined : row.users?.get(userId);
    if (user !== undefined && --user.connections === 0) {
      row.users?.delete(user.member.userId);
      this.#edges?.changed(appId, channel, user.member.userId, false);
    }
    if (row.subscriptions === 0) {
      rows.delete(channel);
      this.#edges?.changed(appId, channel, undefined, false);
    }
    if (rows.size === 0) this.#byApp.delete(appId);
    return { subscriptions: row.subscriptions, memberIsGone: user?.connections === 0 };
  }

  counts(appId: string, channel: string): ChannelCounts {
    const row = this.#byApp.get(appId)?.get(channel);
    return row === undefined ? NOBODY : countsOf(row);
  }

  channels(appId: string, prefix: string): ReadonlyMap<string, ChannelCounts> {
    const found = new Map<string, ChannelCounts>();
    for (const [channel, row] of this.#byApp.get(appId) ?? []) {
      if (channel.startsWith(prefix)) found.set(channel, countsOf(row));
    }
    return found;
  }

  members(appId: string, channel: string): readonly Member[] {
    const users = this.#byApp.get(appId)?.get(channel)?.users;
    return users === undefined ? [] : [...users.values()].map((user) => user.member);
  }

  #keep(appId: string, channel: string, row: Row): void {
    if (row.subscriptions > 0) return;
    const rows = this.#byApp.get(appId) ?? new Map<string, Row>();
    this.#byApp.set(appId, rows.set(channel, row));
    this.#edges?.changed(appId, channel, undefined, true);
  }
}

function countsOf(row: Row): ChannelCounts {
  return { subscriptions: row.subscriptions, users: row.users?.size ?? 0 };
}
