/** Somebody who types a command and reads what it says. */
import { main } from "../main.ts";
import type { Terminal } from "../terminal.ts";

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class Person implements Terminal {
  readonly env: Readonly<Record<string, string>>;
  readonly outLines: string[] = [];
  readonly errLines: string[] = [];

  constructor(env: Readonly<Record<string, string>> = {}) {
    this.env = env;
  }

  out(line: string): void {
    this.outLines.push(line);
  }

  err(line: string): void {
    this.errLines.push(line);
  }
}

export async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const person = new Person(env);
  const code = await main(args, person);
  return { code, out: person.outLines.join("\n"), err: person.errLines.join("\n") };
}
