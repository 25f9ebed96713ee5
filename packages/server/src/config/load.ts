/** Reads the settings of one run: flags, then the environment, then the file, then the defaults. */
import { readFileSync } from "node:fs";
import { type FlagKind, parseCommandLine } from "./arguments.ts";
import { type Checked, checkTexts, problemsBetween } from "./check.ts";
import {
  flagOf,
  SETTING_PATHS,
  type SettingPath,
  type Settings,
  type SettingValue,
  settingRow,
  variableOf,
} from "./fields.ts";
import { parseSettingsFile } from "./file.ts";
import { didYouMean } from "./nearest.ts";

export type { FlagKind } from "./arguments.ts";

/** What a run is started with. */
export interface Start {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file, or undefined where there is none. @throws where it cannot be read */
  readonly readFile?: (file: string) => string | undefined;
}

/** What one command takes on its command line. */
export interface CommandForm<Own extends Readonly<Record<string, FlagKind>>> {
  /** Settings that the command takes as flags; all of them where left out. */
  readonly settings?: readonly SettingPath[];
  /** Flags of its own, without dashes. */
  readonly own?: Own;
  /** What each word that must be there stands for; none where left out. */
  readonly words?: readonly string[];
  /** More words may follow. */
  readonly mayHaveMore?: boolean;
}

export type OwnFlags<Own extends Readonly<Record<string, FlagKind>>> = {
  readonly [Flag in keyof Own]?: FlagValues[Own[Flag]];
};

interface FlagValues {
  readonly boolean: boolean;
  readonly text: string;
  readonly texts: readonly string[];
}

/** Where each value comes from: `--port`, `EARSHOT_PORT`, the name of the file, or `default`. */
export type Origins = Readonly<Record<SettingPath, string>>;

export type Loaded<Own extends Readonly<Record<string, FlagKind>>> =
  | {
      readonly ok: true;
      readonly settings: Settings;
      readonly origins: Origins;
      readonly words: readonly string[];
      readonly own: OwnFlags<Own>;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const DEFAULT_FILE = "./earshot.toml";
const NOT_OURS = "EARSHOT_TEST_"; // for the repository's own tests, which start servers

/** Tells all problems at once, one line each. */
export function loadSettings<const Own extends Readonly<Record<string, FlagKind>> = Record<never, never>>(
  start: Start,
  form: CommandForm<Own> = {},
): Loaded<Own> {
  const problems: string[] = [];
  const accepted = form.settings ?? SETTING_PATHS;
  const line = parseCommandLine(start.args, flagKinds(accepted, form.own));
  problems.push(...line.problems, ...problemsOfWords(line.words, form));

  const file = loadFile(start, line.flags.get("config")?.[0], problems);
  const environment = loadEnvironment(start.env, problems);
  const flags = new Map<SettingPath, SettingValue>();
  for (const path of accepted) {
    const texts = line.flags.get(flagOf(path));
    if (texts !== undefined) take(flags, path, checkTexts(path, `--${flagOf(path)}`, texts), problems);
  }

  const dev = flags.get("dev") ?? environment.get("dev") ?? file.values.get("dev") ?? false;
  const values: Partial<Record<SettingPath, SettingValue>> = {};
  const origins: Partial<Record<SettingPath, string>> = {};
  for (const path of SETTING_PATHS) {
    const [value, origin] =
      from(flags, path, `--${flagOf(path)}`) ??
      from(environment, path, variableOf(path)) ??
      from(file.values, path, file.name) ??
      defaultOf(path, dev === true);
    values[path] = value;
    origins[path] = origin;
  }
  const settings = values as Settings; // every path was set, each to a value that its row let through
  if (problems.length === 0) problems.push(...problemsBetween(settings));
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    settings,
    origins: origins as Origins,
    words: line.words,
    own: ownFlags(line.flags, form.own),
  };
}

function flagKinds(
  paths: readonly SettingPath[],
  own: Readonly<Record<string, FlagKind>> = {},
): Map<string, FlagKind> {
  const kinds = new Map<string, FlagKind>([["config", "text"]]);
  for (const path of paths) {
    const { type } = settingRow(path);
    kinds.set(flagOf(path), type === "boolean" ? "boolean" : type === "list" ? "texts" : "text");
  }
  for (const [flag, kind] of Object.entries(own)) kinds.set(flag, kind);
  return kinds;
}

function problemsOfWords(
  given: readonly string[],
  { words = [], mayHaveMore = false }: { readonly words?: readonly string[]; readonly mayHaveMore?: boolean },
): string[] {
  const missing = words.slice(given.length);
  if (missing.length > 0) return [`${missing.join(" and ")} must be given: --help tells more.`];
  const extra = given[words.length];
  if (extra === undefined || mayHaveMore) return [];
  return [
    `${JSON.stringify(extra)} is one word too many: leave it out, or put quotes around what belongs together.`,
  ];
}

function loadFile(start: Start, flag: string | undefined, problems: string[]) {
  const variable = start.env["EARSHOT_CONFIG"];
  const named = flag ?? (variable === "" ? undefined : variable);
  const name = named ?? DEFAULT_FILE;
  const nothing = { name, values: new Map<SettingPath, SettingValue>() };
  try {
    const text = (start.readFile ?? readFileIfThere)(name);
    if (text === undefined) {
      if (named !== undefined)
        problems.push(`There is no settings file ${name}: name one that exists, or leave it out.`);
      return nothing;
    }
    const parsed = parseSettingsFile(name, text);
    problems.push(...parsed.problems);
    return { name, values: parsed.values };
  } catch (error) {
    problems.push(
      `The settings file ${name} cannot be read (${error instanceof Error ? error.message : String(error)}).`,
    );
    return nothing;
  }
}

function loadEnvironment(env: Start["env"], problems: string[]): Map<SettingPath, SettingValue> {
  const values = new Map<SettingPath, SettingValue>();
  const paths = new Map(SETTING_PATHS.map((path) => [variableOf(path), path]));
  const known = [...paths.keys(), "EARSHOT_CONFIG"];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith("EARSHOT_") || name.startsWith(NOT_OURS) || text === undefined) continue;
    const path = paths.get(name);
    // An empty variable is how compose files and shells write "not set".
    if (path !== undefined && text !== "") take(values, path, checkTexts(path, name, [text]), problems);
    else if (!known.includes(name)) {
      problems.push(`The environment sets ${name}, which is no setting.${didYouMean(name, known)}`);
    }
  }
  return values;
}

function take(
  values: Map<SettingPath, SettingValue>,
  path: SettingPath,
  checked: Checked,
  problems: string[],
): void {
  if ("problem" in checked) problems.push(checked.problem);
  else values.set(path, checked.value);
}

function from(values: ReadonlyMap<SettingPath, SettingValue>, path: SettingPath, origin: string) {
  const value = values.get(path);
  return value === undefined ? undefined : ([value, origin] as const);
}

function defaultOf(path: SettingPath, dev: boolean): readonly [SettingValue, string] {
  const row = settingRow(path);
  if (dev && row.type === "string" && row.devDefault !== undefined)
    return [row.devDefault, "default with --dev"];
  return [row.default, "default"];
}

function ownFlags<Own extends Readonly<Record<string, FlagKind>>>(
  flags: ReadonlyMap<string, readonly string[]>,
  own: Own | undefined,
): OwnFlags<Own> {
  const found: Record<string, boolean | string | readonly string[]> = {};
  for (const [flag, kind] of Object.entries(own ?? {})) {
    const texts = flags.get(flag);
    if (texts === undefined) continue;
    found[flag] = kind === "boolean" ? texts[0] === "true" : kind === "text" ? (texts[0] ?? "") : texts;
  }
  return found as OwnFlags<Own>; // built from the same table that the type is built from
}

function readFileIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
