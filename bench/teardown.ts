/** Ends what was started, the last first, also when the work fails or a person stops it. */
export class Teardown {
  static #current: Teardown | undefined;
  readonly #steps: (() => Promise<unknown>)[] = [];

  static async after<T>(work: (teardown: Teardown) => Promise<T>): Promise<T> {
    const teardown = new Teardown();
    Teardown.#current = teardown;
    try {
      return await work(teardown);
    } finally {
      await teardown.run();
      Teardown.#current = undefined;
    }
  }

  /** Of the work that is under way, if there is any. */
  static async now(): Promise<void> {
    await Teardown.#current?.run();
  }

  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step();
  }
}
