import type { Bus, LastEvents, Occupancy, OnlineUsers, Terminations } from "#core/ports";

interface Held {
  readonly act: () => void;
  readonly fail: (problem: Error) => void;
}

/** Answers that a back end has not given yet. A test lets them go one by one, in any order, or lets them fail. */
export class HeldAnswers {
  readonly #held: Held[] = [];

  get count(): number {
    return this.#held.length;
  }

  hold<T>(act: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#held.push({ act: () => resolve(act()), fail: reject });
    });
  }

  /** Carries out one of them and lets everybody react who waited for it. */
  async release(index = 0): Promise<void> {
    this.#held.splice(index, 1)[0]?.act();
    await settled();
  }

  async releaseAll(): Promise<void> {
    while (this.#held.length > 0) await this.release();
    await settled();
  }

  /** One of them never happens: the back end has failed. */
  async fail(problem: Error, index = 0): Promise<void> {
    this.#held.splice(index, 1)[0]?.fail(problem);
    await settled();
  }
}

const TURNS = 20;

/** Lets all promises run on that wait for nothing else. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
}

export function heldOccupancy(real: Occupancy, answers: HeldAnswers): Occupancy {
  return {
    join: (join) => answers.hold(() => real.join(join)),
    leave: (leave) => answers.hold(() => real.leave(leave)),
    counts: (appId, channel) => answers.hold(() => real.counts(appId, channel)),
    channels: (appId, prefix) => answers.hold(() => real.channels(appId, prefix)),
    members: (appId, channel) => answers.hold(() => real.members(appId, channel)),
  };
}

export function heldLastEvents(real: LastEvents, answers: HeldAnswers): LastEvents {
  return {
    remember: (appId, channel, event, ttlSeconds) =>
      answers.hold(() => real.remember(appId, channel, event, ttlSeconds)),
    recall: (appId, channel) => answers.hold(() => real.recall(appId, channel)),
  };
}

export function heldBus(real: Bus, answers: HeldAnswers): Bus {
  return {
    publish: (appId, channel, frame, exceptSocketId) =>
      answers.hold(() => real.publish(appId, channel, frame, exceptSocketId)),
  };
}

export function heldOnlineUsers(real: OnlineUsers, answers: HeldAnswers): OnlineUsers {
  return {
    arrive: (signIn) => answers.hold(() => real.arrive(signIn)),
    leave: (signIn) => answers.hold(() => real.leave(signIn)),
    lapse: (appId, userId) => answers.hold(() => real.lapse(appId, userId)),
    online: (appId, userIds) => answers.hold(() => real.online(appId, userIds)),
  };
}

export function heldTerminations(real: Terminations, answers: HeldAnswers): Terminations {
  return { terminate: (appId, userId) => answers.hold(() => real.terminate(appId, userId)) };
}
