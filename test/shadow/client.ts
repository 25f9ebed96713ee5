import type { Earshot } from "../support/earshot.ts";
import { dataOf } from "../support/frame.ts";
import { connectRaw, type RawClient } from "../support/raw-client.ts";
import type { Attendance } from "./attendance.ts";
import { subjectOf } from "./subject.ts";
import type { Trace } from "./trace.ts";
import { hasMembers, userOf } from "./world.ts";

export interface ClientParts {
  readonly earshot: Earshot;
  readonly attendance: Attendance;
  readonly trace: Trace;
  /** What no client should ever see. */
  readonly wrong: (problem: string, channel?: string) => void;
}

/** One device of a user. It does one thing after the other, in its own time, and keeps book of where it certainly is. */
export class ShadowClient {
  readonly #index: number;
  readonly #parts: ClientParts;
  #todo: Promise<void> = Promise.resolve();
  /** Another one after each end of the server: what was still to do then is not done. */
  #life = 0;
  #connection: RawClient | undefined;
  /** By channel, the subscription that was last begun and not ended. */
  readonly #asked = new Map<string, object>();
  readonly #answered = new Set<string>();

  constructor(index: number, parts: ClientParts) {
    this.#index = index;
    this.#parts = parts;
  }

  connect(afterMs: number): void {
    this.#next(async (life) => {
      await Bun.sleep(afterMs);
      if (life !== this.#life) return;
      const connection = await connectRaw(this.#parts.earshot);
      if (life !== this.#life) return connection.kill();
      if (connection.socketId === "") throw new Error(`no welcome but ${connection.frames[0]?.raw}`);
      this.#connection = connection;
      this.#tell("is connected");
      void connection.closed.then(({ code, reason }) => {
        if (this.#connection === connection) this.#wrong(`was disconnected: ${code} ${reason}`);
      });
    });
  }

  subscribe(channel: string): void {
    this.#next(() => {
      const connection = this.#connected();
      const asked = {};
      this.#asked.set(channel, asked);
      this.#tell(`subscribes to ${channel}`, channel);
      const member = hasMembers(channel)
        ? { channel_data: JSON.stringify({ user_id: userOf(this.#index) }) }
        : {};
      connection.subscribe(channel, member).then(
        (answer) => {
          if (this.#asked.get(channel) !== asked) return;
          if (answer.event === "pusher:error") this.#wrong(`is refused: ${answer.raw}`, channel);
          else this.#enter(channel);
        },
        (problem) => {
          if (this.#asked.get(channel) === asked) this.#wrong(`waits for an answer: ${problem}`, channel);
        },
      );
    });
  }

  unsubscribe(channel: string): void {
    this.#next(() => {
      this.#leave(channel, Date.now());
      this.#tell(`unsubscribes from ${channel}`, channel);
      this.#connected().send({ event: "pusher:unsubscribe", data: { channel } });
    });
  }

  disconnect(how: "close" | "kill"): void {
    this.#next(() => {
      const connection = this.#connected();
      this.#leaveAll(Date.now());
      this.#connection = undefined;
      this.#tell(`goes away (${how})`);
      connection[how]();
    });
  }

  say(channel: string): void {
    this.#next(() => {
      this.#connected().send({ event: "client-said", channel, data: { by: this.#index } });
    });
  }

  /** The server ends: the connection is lost, and with it what was to be done on it. */
  cutOff(nowMs: number): void {
    this.#life++;
    this.#todo = Promise.resolve();
    this.#leaveAll(nowMs);
    this.#connection = undefined;
  }

  /** Everything is done, and the server has taken notice of it. */
  async settled(): Promise<void> {
    await this.#todo;
    await this.#connection?.settled();
  }

  /** Where it is, as it knows from the server; undefined where it is not connected. */
  get subscribed(): ReadonlySet<string> | undefined {
    return this.#connection === undefined ? undefined : this.#answered;
  }

  /** The users of a presence channel, as it was told when it came and since. */
  membersOf(channel: string): ReadonlySet<string> {
    const members = new Set<string>();
    for (const frame of this.#connection?.frames ?? []) {
      if (frame.channel !== channel) continue;
      if (frame.event === "pusher_internal:subscription_succeeded") {
        members.clear();
        for (const id of idsOf(dataOf(frame))) members.add(id);
      } else if (frame.event === "pusher_internal:member_added") members.add(userIdOf(dataOf(frame)));
      else if (frame.event === "pusher_internal:member_removed") members.delete(userIdOf(dataOf(frame)));
    }
    return members;
  }

  #enter(channel: string): void {
    this.#answered.add(channel);
    this.#tell(`is subscribed to ${channel}`, channel);
    this.#parts.attendance.enter(this.#subjects(channel), this.#index);
  }

  #leave(channel: string, nowMs: number): void {
    this.#asked.delete(channel);
    this.#answered.delete(channel);
    this.#parts.attendance.leave(this.#subjects(channel), this.#index, nowMs);
  }

  #leaveAll(nowMs: number): void {
    for (const channel of [...this.#asked.keys()]) this.#leave(channel, nowMs);
  }

  #subjects(channel: string): string[] {
    const member = hasMembers(channel) ? [subjectOf(channel, userOf(this.#index))] : [];
    return [subjectOf(channel), ...member];
  }

  #next(act: (life: number) => void | Promise<void>): void {
    const life = this.#life;
    this.#todo = this.#todo.then(async () => {
      if (life !== this.#life) return;
      try {
        await act(life);
      } catch (problem) {
        if (life === this.#life) this.#wrong(String(problem));
      }
    });
  }

  #connected(): RawClient {
    if (this.#connection === undefined) throw new Error("has no connection");
    return this.#connection;
  }

  #tell(text: string, channel?: string): void {
    this.#parts.trace.tell(`client ${this.#index} (${userOf(this.#index)}) ${text}`, {
      client: this.#index,
      channel,
    });
  }

  #wrong(text: string, channel?: string): void {
    this.#parts.wrong(`client ${this.#index} ${text}`, channel);
  }
}

function idsOf(data: unknown): string[] {
  const ids = (data as { presence?: { ids?: unknown[] } }).presence?.ids ?? []; // the shape of presence data
  return ids.map(String);
}

function userIdOf(data: unknown): string {
  return String((data as { user_id?: unknown }).user_id); // the shape of member frames
}
