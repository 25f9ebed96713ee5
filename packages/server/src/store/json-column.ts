/** Columns that hold JSON. Another version may have written them: who reads takes what it knows. */
import { DatabaseProblem, type Row, textOf } from "./sql.ts";

export function jsonOf(row: Row, column: string): unknown {
  try {
    return JSON.parse(textOf(row, column));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new DatabaseProblem(`Column ${column} holds no JSON.`, { cause: error });
    throw error;
  }
}

/** Those of an object; none of anything else. */
export function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

/** The items of a list; none of anything else. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
