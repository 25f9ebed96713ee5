/**
 * Does one piece of work in each turn of the event loop, in the order in which they came. A commit may give all lanes
 * something to send; clients are served between one and the next.
 */
export class Turns {
  #works: (() => void)[] = [];
  #next = 0;

  readonly add = (work: () => void): void => {
    if (this.#works.push(work) === 1) setImmediate(this.#turn);
  };

  readonly #turn = (): void => {
    const work = this.#works[this.#next++];
    if (this.#next < this.#works.length) setImmediate(this.#turn);
    else {
      this.#works = [];
      this.#next = 0;
    }
    work?.();
  };
}
