/** The settings file: TOML whose tables and keys are the paths of the settings. */
import { type Checked, checkValue } from "./check.ts";
import { SETTING_PATHS, type SettingPath, type SettingValue } from "./fields.ts";
import { didYouMean } from "./nearest.ts";

export interface FileSettings {
  readonly values: ReadonlyMap<SettingPath, SettingValue>;
  readonly problems: readonly string[];
}

/** @param file its name, for the texts of problems */
export function parseSettingsFile(file: string, text: string): FileSettings {
  const values = new Map<SettingPath, SettingValue>();
  const problems: string[] = [];
  let tree: object;
  try {
    tree = Bun.TOML.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^TOML Parse error: /, "") : String(error);
    return { values, problems: [`${file} is not valid TOML: ${why}.`] };
  }
  walk(tree, "");
  return { values, problems };

  function walk(table: object, above: string): void {
    for (const [key, value] of Object.entries(table) as [string, unknown][]) {
      const path = `${above}${key}`;
      const known = SETTING_PATHS.find((one) => one === path);
      if (known !== undefined) take(known, checkValue(known, `${path} in ${file}`, value));
      else if (isTable(value) && SETTING_PATHS.some((one) => one.startsWith(`${path}.`)))
        walk(value, `${path}.`);
      else problems.push(`There is no setting ${path} (in ${file}).${didYouMean(path, SETTING_PATHS)}`);
    }
  }

  function take(path: SettingPath, checked: Checked): void {
    if ("problem" in checked) problems.push(checked.problem);
    else values.set(path, checked.value);
  }
}

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
