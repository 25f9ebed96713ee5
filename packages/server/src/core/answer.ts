import type { Answer } from "./ports.ts";

/** Goes on with an answer: in the same turn where it is there at once, later where it is a promise. */
export function after<T, R>(answer: Answer<T>, next: (value: T) => Answer<R>): Answer<R> {
  return answer instanceof Promise ? answer.then(next) : next(answer);
}

/** Goes on when all answers are there, in the order of the list. */
export function afterAll<T>(answers: readonly Answer<T>[]): Answer<T[]> {
  return answers.some((answer) => answer instanceof Promise) ? Promise.all(answers) : (answers as T[]); // none is a promise
}

/** Goes on either way: with the answer, or with what was thrown instead of it, at once or later. */
export function attempt<T, R>(
  ask: () => Answer<T>,
  next: (value: T) => Answer<R>,
  failed: (problem: unknown) => Answer<R>,
): Answer<R> {
  let answer: Answer<T>;
  try {
    answer = ask();
  } catch (problem) {
    return failed(problem);
  }
  return answer instanceof Promise ? answer.then(next, failed) : next(answer);
}
