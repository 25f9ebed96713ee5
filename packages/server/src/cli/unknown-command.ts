import { didYouMean } from "#config/nearest";
import type { Terminal } from "./terminal.ts";

/** @param above the command that `word` was typed behind; empty for the program itself */
export function unknownCommand(
  above: string,
  word: string,
  known: readonly string[],
  terminal: Terminal,
): number {
  const command = above === "" ? "earshot" : `earshot ${above}`;
  const help = above === "" ? "earshot help" : `earshot help ${above}`;
  terminal.err(
    word === "" || word.startsWith("-")
      ? `"${command}" needs to know what to do: ${known.join(", ")}. See "${help}".`
      : `There is no command "${command} ${word}".${didYouMean(word, known)} See "${help}".`,
  );
  return 1;
}
