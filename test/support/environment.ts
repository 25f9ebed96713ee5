/** The environment without settings: those of the shell that runs the tests are not those of what the tests start. */
export function withoutSettings(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !name.startsWith("EARSHOT_")) kept[name] = value;
  }
  return kept;
}
