import { SETTING_PATHS, type SettingPath, type Settings, settingRow } from "./fields.ts";
import type { Origins } from "./load.ts";

/** The value as TOML; of a secret only whether it is set. */
export function shownValue(settings: Settings, path: SettingPath): string {
  const value: unknown = settings[path];
  const empty = value === "" || (Array.isArray(value) && value.length === 0);
  if (settingRow(path).secret === true) return empty ? "not set" : "set";
  return Array.isArray(value)
    ? `[${value.map((item) => JSON.stringify(item)).join(", ")}]`
    : JSON.stringify(value);
}

/** The settings in effect, one a line, each with where it comes from. */
export function printSettings(settings: Settings, origins: Origins): string {
  const rows = SETTING_PATHS.map(
    (path) => [`${path} = ${shownValue(settings, path)}`, origins[path]] as const,
  );
  const width = Math.max(...rows.map(([text]) => text.length));
  return rows.map(([text, origin]) => `${text.padEnd(width)}  # ${origin}`).join("\n");
}
