/** The flags that a person gave to a command, as `loadSettings` returns them. */
import { Refused } from "#store/refused";

export type Given = Readonly<Record<string, boolean | string | readonly string[] | undefined>>;

export function textOf(given: Given, name: string): string | undefined {
  const text = given[name];
  return typeof text === "string" ? text : undefined;
}

/** A flag that is written `--name true` or `--name false`, as a field of that name; nothing where it was not given. */
export function flag<const Field extends string>(
  given: Given,
  name: string,
  field: Field,
): { readonly [F in Field]?: boolean } {
  const text = given[name];
  if (text === undefined) return {};
  if (text !== "true" && text !== "false") {
    throw new Refused(
      `--${name} = ${JSON.stringify(text)} is neither true nor false: write --${name} true, or --${name} false.`,
    );
  }
  return { [field]: text === "true" } as { readonly [F in Field]?: boolean }; // the one field that was asked for
}
