import type { Column, Figures, Size, Sizes } from "./scene.ts";
import type { Teardown } from "./teardown.ts";
import type { Wish } from "./verdict.ts";

/** One way of working, measured beside others of the same study. */
interface Mode {
  readonly name: string;
  readonly doc: string;
}

/** What one run of a study found, by the mode's name. */
export type FiguresOf = ReadonlyMap<string, Figures>;

interface StudyBudget extends Wish {
  /** Of one run. Undefined where a mode that it needs was not measured. */
  readonly measure: (of: FiguresOf) => number | undefined;
}

/** Earshot alone, compared with itself: the same work in several modes, each with processes of its own. */
export interface Study {
  readonly name: string;
  readonly title: (sizes: Sizes) => string;
  readonly modes: readonly Mode[];
  readonly sizes: readonly Size[];
  /** Sizes of `--quick`, where they differ. */
  readonly quick: Sizes;
  readonly runs: number;
  /** Connections that one process holds at one time. */
  readonly connections: (sizes: Sizes) => number;
  /** What a reader has to know of how it was measured. */
  readonly remarks: (sizes: Sizes) => readonly string[];
  readonly columns: readonly Column[];
  readonly budgets: readonly StudyBudget[];
  readonly play: (mode: string, sizes: Sizes, teardown: Teardown) => Promise<Figures>;
  /** Adds figures that follow from several modes of one run, such as CPU time beyond that of the idle mode. */
  readonly derive: (of: FiguresOf) => FiguresOf;
  /** Why the figures of a mode are worth nothing, in words. */
  readonly flaws: (mode: string, figures: Figures) => readonly string[];
}
