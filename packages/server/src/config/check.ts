/** Turns what a person wrote into the value of a setting, or says what is wrong with it. */
import { type SettingPath, type SettingRow, type Settings, type SettingValue, settingRow } from "./fields.ts";

export type Checked = { readonly value: SettingValue } | { readonly problem: string };

/** @param name how the person wrote the setting: `--port`, `EARSHOT_PORT`, `http.port in earshot.toml` */
export function checkTexts(path: SettingPath, name: string, texts: readonly string[]): Checked {
  const row = settingRow(path);
  const text = texts[0] ?? "";
  switch (row.type) {
    case "string":
      return checkValue(path, name, text);
    case "integer":
      return checkValue(path, name, /^-?\d+$/.test(text) ? Number(text) : text);
    case "boolean":
      return checkValue(path, name, BOOLEANS.get(text.toLowerCase()) ?? text);
    case "list":
      return checkValue(
        path,
        name,
        texts.flatMap((one) => one.split(row.split)).filter((item) => item !== ""),
      );
  }
}

const BOOLEANS = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

export function checkValue(path: SettingPath, name: string, given: unknown): Checked {
  const row = settingRow(path);
  const wrong = (problem: string): Checked => ({
    problem: `${name}${row.secret ? "" : ` = ${show(given)}`} ${problem}.`,
  });
  switch (row.type) {
    case "string": {
      if (typeof given !== "string") return wrong("is not a text: put it in quotes");
      if (row.choices !== undefined && !row.choices.includes(given))
        return wrong(`is unknown: use ${anyOf(row.choices)}`);
      const problem = row.problem?.(given);
      return problem === undefined ? { value: given } : wrong(problem);
    }
    case "integer":
      if (typeof given !== "number" || !Number.isSafeInteger(given))
        return wrong(`is not a whole number: ${rangeOf(row)}`);
      return given < row.min || given > row.max
        ? wrong(`is out of range: ${rangeOf(row)}`)
        : { value: given };
    case "boolean":
      return typeof given === "boolean"
        ? { value: given }
        : wrong("is neither true nor false: use one of them");
    case "list": {
      if (!Array.isArray(given)) return wrong(`is not a list: write ["ONE", "TWO"]`);
      const items: string[] = [];
      for (const item of given as readonly unknown[]) {
        if (typeof item !== "string")
          return wrong("holds something other than a text: put each item in quotes");
        const problem = row.problem?.(item);
        if (problem !== undefined)
          return { problem: `${name}${row.secret ? "" : ` = ${show(item)}`} ${problem}.` };
        items.push(item);
      }
      return { value: items };
    }
  }
}

/** What only shows where several settings are seen together. */
export function problemsBetween(settings: Settings): string[] {
  const problems: string[] = [];
  if ((settings["tls.cert"] === "") !== (settings["tls.key"] === "")) {
    const [has, lacks] = settings["tls.cert"] === "" ? ["tls.key", "tls.cert"] : ["tls.cert", "tls.key"];
    problems.push(`${has} is set and ${lacks} is not: TLS needs both, --tls-cert FILE --tls-key FILE.`);
  }
  if (settings["metrics.port"] !== 0 && settings["metrics.port"] === settings["http.port"]) {
    problems.push(
      `metrics.port = ${settings["metrics.port"]} is the same as http.port: choose another, or 0 to serve /metrics there.`,
    );
  }
  for (const path of ["data.dir", "http.host", "metrics.host"] as const) {
    if (settings[path].trim() === "")
      problems.push(`${path} is empty: leave it out for its default, or give it a value.`);
  }
  return problems;
}

function rangeOf(row: Extract<SettingRow, { type: "integer" }>): string {
  return row.unit === "port"
    ? `use a port from ${row.min} to ${row.max}`
    : `use a whole number of ${row.unit} from ${row.min} to ${row.max}`;
}

function anyOf(choices: readonly string[]): string {
  return `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
}

const MAX_SHOWN_CHARS = 80; // ours: enough to recognise it

function show(given: unknown): string {
  const text = typeof given === "string" ? JSON.stringify(given) : String(JSON.stringify(given) ?? given);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}...` : text;
}
