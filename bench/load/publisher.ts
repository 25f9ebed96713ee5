import type { HttpAnswer } from "./http-answer.ts";
import { HttpLane } from "./http-lane.ts";
import { Signature } from "./signature.ts";
import type { Target } from "./target.ts";
import { triggerRequest } from "./trigger-request.ts";

export interface PublishReport {
  readonly accepted: number;
  readonly refused: number;
  /** The first refusal's status and text. */
  readonly firstRefusal: string | undefined;
  readonly startedMs: number;
  readonly answeredMs: number;
}

/** Publishes signed triggers that were made beforehand, so that making them is not part of what is timed. */
export class Publisher {
  readonly #target: Target;
  readonly #signature: Signature;
  readonly #lanes: HttpLane[] = [];
  #requests: Uint8Array[] = [];
  #firstSequence = 0;

  constructor(target: Target) {
    this.#target = target;
    this.#signature = new Signature(target.secret);
  }

  /** Numbers go on from one preparation to the next, so that no event of a run is published twice. */
  prepare(channel: string, count: number, bytes: number): void {
    this.#firstSequence += this.#requests.length;
    const nowSeconds = Math.floor(Date.now() / 1000);
    this.#requests = Array.from({ length: count }, (_, i) =>
      triggerRequest(this.#target, this.#signature, {
        channel,
        sequence: this.#firstSequence + i,
        bytes,
        nowSeconds,
      }),
    );
  }

  /** As fast as the server answers, with `inFlight` requests under way, until all are sent or `forMs` have passed. */
  async publish(inFlight: number, forMs: number): Promise<PublishReport> {
    await this.#openLanes(inFlight);
    const count = new AnswerCount();
    return new Promise((resolve) => {
      const startedMs = performance.now();
      let next = 0;
      let open = 0;
      const send = (lane: HttpLane): void => {
        const request = performance.now() - startedMs < forMs ? this.#requests[next++] : undefined;
        if (request === undefined) {
          if (open === 0) resolve(count.report(startedMs));
          return;
        }
        open++;
        lane.send(request, (answer) => {
          open--;
          count.add(answer);
          send(lane);
        });
      };
      for (const lane of this.#lanes.slice(0, inFlight)) send(lane);
    });
  }

  /**
   * At an even pace, whatever the server does. A request's time runs from when it is written; but when it had to wait for a lane,
   * because the server had answered none, from when it was due.
   *
   * @param sentAtMs takes for each number when its time began
   */
  async pace(perSecond: number, lanes: number, sentAtMs: Float64Array): Promise<PublishReport> {
    await this.#openLanes(lanes);
    const idle = this.#lanes.slice(0, lanes);
    const count = new AnswerCount();
    return new Promise((resolve) => {
      const startedMs = performance.now();
      const dueMs = (index: number): number => startedMs + (index * 1000) / perSecond;
      let next = 0;
      let open = 0;
      let starved = false;
      const sendDue = (): void => {
        while (next < this.#requests.length && dueMs(next) <= performance.now()) {
          const lane = idle.pop();
          if (lane === undefined) {
            starved = true; // the next answer comes back here
            return;
          }
          sentAtMs[this.#firstSequence + next] = starved ? dueMs(next) : performance.now();
          open++;
          lane.send(this.#request(next++), (answer) => {
            open--;
            count.add(answer);
            idle.push(lane);
            sendDue();
          });
        }
        starved = false;
        if (next === this.#requests.length && open === 0) {
          clearInterval(clock);
          resolve(count.report(startedMs));
        }
      };
      const clock = setInterval(sendDue, 1);
    });
  }

  close(): void {
    for (const lane of this.#lanes) lane.close();
  }

  #request(index: number): Uint8Array {
    const request = this.#requests[index];
    if (request === undefined) throw new Error(`no request ${index} is prepared`);
    return request;
  }

  async #openLanes(count: number): Promise<void> {
    while (this.#lanes.length < count) {
      const lane = new HttpLane(this.#target);
      await lane.open();
      this.#lanes.push(lane);
    }
  }
}

class AnswerCount {
  #accepted = 0;
  #refused = 0;
  #firstRefusal: string | undefined;

  add(answer: HttpAnswer): void {
    if (answer.status === 200) {
      this.#accepted++;
      return;
    }
    this.#refused++;
    this.#firstRefusal ??= `${answer.status} ${answer.body.slice(0, 200)}`;
  }

  report(startedMs: number): PublishReport {
    return {
      accepted: this.#accepted,
      refused: this.#refused,
      firstRefusal: this.#firstRefusal,
      startedMs,
      answeredMs: performance.now(),
    };
  }
}
