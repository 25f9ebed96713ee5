import type { Stage } from "./stage.ts";

/** One line of the checklist. */
export interface Check {
  /** Its number in the checklist, from 1 to 121. */
  readonly number: number;
  readonly what: string;
  /** @throws Finding where the server does otherwise, NotShown where it cannot be told */
  run(stage: Stage): Promise<void>;
  /** How long it may take; 20 seconds where left out. */
  readonly limitMs?: number;
  /** It ends the server, so that nothing can follow it. */
  readonly isLast?: true;
}

export interface Section {
  readonly letter: string;
  readonly title: string;
  readonly checks: readonly Check[];
}

export type Outcome = "pass" | "fail" | "skip";

/** What came of a check. */
export interface Result {
  readonly number: number;
  readonly section: string;
  readonly what: string;
  readonly outcome: Outcome;
  /** What was seen, or why it was skipped; empty for a pass. */
  readonly seen: string;
}
