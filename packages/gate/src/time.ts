/** Time as the gate needs it. It is handed in, so that tests can move it. */
export interface Time {
  /** Milliseconds that only grow; every age and every pause is measured with them. */
  monotonicMs(): number;
  /** Unix milliseconds; asked only where a service tells no time of its own. */
  wallMs(): number;
  /** Calls once, that many milliseconds later. Returns the way to take it back. */
  after(delayMs: number, call: () => void): () => void;
}

export const systemTime: Time = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};

export function pause(time: Time, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    time.after(delayMs, resolve);
  });
}

/** What `work` gives, or `late()` where it takes longer. What comes after that, a failure too, is dropped. */
export function within<T, L>(time: Time, limitMs: number, work: Promise<T>, late: () => L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const cancel = time.after(limitMs, () => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    });
    work.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
