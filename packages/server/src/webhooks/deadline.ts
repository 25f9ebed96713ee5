/** What ends an attempt before its answer does: its time, or the end of the sender. To be cleared after each attempt. */
export class Deadline {
  readonly #broken = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  #problem: string | undefined;

  /** @param problem what is said when the time is up */
  constructor(timeoutMs: number, problem: string) {
    this.#timer = setTimeout(() => this.breakOff(problem), timeoutMs);
  }

  /** Breaks off the request, and the connection with it. */
  get signal(): AbortSignal {
    return this.#broken.signal;
  }

  /** Why the attempt was broken off; undefined as long as it was not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The first problem counts. */
  breakOff(problem: string): void {
    this.#problem ??= problem;
    clearTimeout(this.#timer);
    this.#broken.abort();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  /** The result of work that cannot be broken off. Rejects at the deadline; the work then goes on unheard. */
  async before<T>(work: Promise<T>): Promise<T> {
    const ended = Promise.withResolvers<never>();
    const end = () => ended.reject(new Error(this.#problem));
    this.signal.addEventListener("abort", end, { once: true });
    if (this.signal.aborted) end();
    return Promise.race([work, ended.promise]);
  }
}
