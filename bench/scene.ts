import type { LoadProcess } from "./load-process.ts";
import type { ServerProcess } from "./server-process.ts";
import type { Priority } from "./worker-process.ts";

/** Sizes by flag name: what a person may change on the command line. */
export type Sizes = Readonly<Record<string, number>>;

/** What one server did in one run, by figure name. */
export type Figures = Readonly<Record<string, number>>;

export interface Size {
  readonly flag: string;
  readonly default: number;
  readonly doc: string;
}

export interface Column {
  readonly figure: string;
  readonly title: string;
  /** Digits behind the point. */
  readonly digits: number;
  /** Print the least and the most beside the median. */
  readonly spread?: true;
}

/** One line of design.md section 8 that concerns Earshot alone or against another server of the same run. */
export interface Budget {
  readonly what: string;
  readonly figure: string;
  /** `earshot / bare`, `soketi / earshot`, or Earshot's figure itself. */
  readonly of: "earshot/bare" | "soketi/earshot" | "earshot";
  readonly bound: "at most" | "at least";
  readonly limit: number;
  readonly unit: string;
}

/** One server under load, from its start to its stop. */
export interface Stage {
  readonly server: ServerProcess;
  /** A client process, which ends with the stage. */
  readonly startLoad: (priority?: Priority) => Promise<LoadProcess>;
}

export interface Scene {
  readonly name: string;
  readonly title: (sizes: Sizes) => string;
  readonly sizes: readonly Size[];
  /** Connections that a server and the load process hold at one time. */
  readonly connections: (sizes: Sizes) => number;
  readonly columns: readonly Column[];
  /** The figure by which servers are compared in the table. */
  readonly compared: string;
  readonly budgets: readonly Budget[];
  readonly play: (stage: Stage, sizes: Sizes) => Promise<Figures>;
}

export function size(sizes: Sizes, flag: string): number {
  const value = sizes[flag];
  if (value === undefined) throw new Error(`the scene has no size "${flag}"`);
  return value;
}

export function figure(figures: Figures, name: string): number {
  const value = figures[name];
  if (value === undefined) throw new Error(`the scene has no figure "${name}"`);
  return value;
}
