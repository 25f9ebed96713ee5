import { describe, expect, test } from "bun:test";
import { SETTING_PATHS, type Settings, settingRow } from "./fields.ts";
import { type CommandForm, type FlagKind, loadSettings } from "./load.ts";
import { printSettings } from "./print.ts";

interface Given {
  args?: readonly string[];
  env?: Record<string, string>;
  file?: string;
}

function start({ args = [], env = {}, file }: Given) {
  return {
    args,
    env,
    readFile: (name: string) => (name === "./earshot.toml" || name === "my.toml" ? file : undefined),
  };
}

function load(given: Given): Settings {
  const loaded = loadSettings(start(given));
  if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
  return loaded.settings;
}

function problems(given: Given, form: CommandForm<Record<string, FlagKind>> = {}): readonly string[] {
  const loaded = loadSettings(start(given), form);
  return loaded.ok ? [] : loaded.problems;
}

describe("where a value comes from", () => {
  const file = "[http]\nport = 7003\nhost = '10.0.0.3'\nmaxBodyBytes = 4096\n";

  test("without anything, every setting has its default", () => {
    const settings: Record<string, unknown> = load({});
    for (const path of SETTING_PATHS) expect(settings[path]).toEqual(settingRow(path).default);
  });

  test("a flag beats the environment, which beats the file, which beats the default", () => {
    const env = { EARSHOT_PORT: "7002", EARSHOT_HOST: "10.0.0.2" };
    const settings = load({ args: ["--port", "7001"], env, file });
    expect(settings["http.port"]).toBe(7001);
    expect(settings["http.host"]).toBe("10.0.0.2");
    expect(settings["http.maxBodyBytes"]).toBe(4096);
    expect(settings["data.dir"]).toBe("./data");
  });

  test("an empty variable counts as not set", () => {
    expect(load({ env: { EARSHOT_PORT: "" }, file })["http.port"]).toBe(7003);
  });

  test("--dev listens on this machine only, unless a host is given", () => {
    expect(load({ args: ["--dev"] })["http.host"]).toBe("127.0.0.1");
    expect(load({ file: "dev = true" })["http.host"]).toBe("127.0.0.1");
    expect(load({ args: ["--dev", "--host", "0.0.0.0"] })["http.host"]).toBe("0.0.0.0");
    expect(load({ args: ["--no-dev"], file: "dev = true" })["http.host"]).toBe("0.0.0.0");
  });

  test("the file is ./earshot.toml, or the one that a flag or the environment names", () => {
    expect(load({ args: ["--config", "my.toml"], file })["http.port"]).toBe(7003);
    expect(load({ env: { EARSHOT_CONFIG: "my.toml" }, file })["http.port"]).toBe(7003);
    expect(problems({ args: ["--config", "none.toml"], file })).toEqual([
      "There is no settings file none.toml: name one that exists, or leave it out.",
    ]);
  });
});

describe("lists", () => {
  test("a flag may be repeated, and holds several items", () => {
    const args = ["--prefix", "/a", "--prefix=/b,/c", "--app", "1:k1:s,1", "--app", "2:k2:s2"];
    const settings = load({ args });
    expect(settings["http.prefixes"]).toEqual(["/a", "/b", "/c"]);
    expect(settings["apps.given"]).toEqual(["1:k1:s,1", "2:k2:s2"]);
  });

  test("a variable is split at commas and spaces, apps at spaces only", () => {
    const env = { EARSHOT_HTTP_TRUSTED_PROXIES: "10.0.0.0/8, ::1", EARSHOT_APP: "1:k1:s,1 2:k2:s2" };
    const settings = load({ env });
    expect(settings["http.trustedProxies"]).toEqual(["10.0.0.0/8", "::1"]);
    expect(settings["apps.given"]).toEqual(["1:k1:s,1", "2:k2:s2"]);
  });
});

describe("what is refused", () => {
  test("an unknown flag, variable or name in the file, each with what was most likely meant", () => {
    const given = {
      args: ["--prot", "7001"],
      env: { EARSHOT_PROT: "1" },
      file: "[http]\nprot = 1\n[htpt]\na = 1",
    };
    expect(problems(given)).toEqual([
      "There is no flag --prot here. Did you mean --port?",
      "There is no setting http.prot (in ./earshot.toml). Did you mean http.port?",
      "There is no setting htpt (in ./earshot.toml).",
      "The environment sets EARSHOT_PROT, which is no setting. Did you mean EARSHOT_PORT?",
    ]);
  });

  const refused: readonly (readonly [string, Given, string])[] = [
    [
      "a port that is no number",
      { args: ["--port", "http"] },
      `--port = "http" is not a whole number: use a port from 0 to 65535.`,
    ],
    [
      "a port out of range",
      { env: { EARSHOT_PORT: "70000" } },
      "EARSHOT_PORT = 70000 is out of range: use a port from 0 to 65535.",
    ],
    [
      "a number out of range",
      { args: ["--apps-refresh-ms", "1"] },
      "--apps-refresh-ms = 1 is out of range: use a whole number of milliseconds from 20 to 60000.",
    ],
    [
      "a text for a number in the file",
      { file: 'http.port = "6001"' },
      `http.port in ./earshot.toml = "6001" is not a whole number: use a port from 0 to 65535.`,
    ],
    [
      "a number for a text in the file",
      { file: "http.host = 1" },
      "http.host in ./earshot.toml = 1 is not a text: put it in quotes.",
    ],
    [
      "an unknown level",
      { args: ["--log-level", "verbose"] },
      `--log-level = "verbose" is unknown: use debug, info, warn or error.`,
    ],
    [
      "a boolean that is none",
      { args: ["--dev=maybe"] },
      `--dev = "maybe" is neither true nor false: use one of them.`,
    ],
    [
      "a text for a list",
      { file: 'http.prefixes = "/a"' },
      `http.prefixes in ./earshot.toml = "/a" is not a list: write ["ONE", "TWO"].`,
    ],
    [
      "a prefix without its slash",
      { args: ["--prefix", "a"] },
      `--prefix = "a" is not a path prefix: begin with a slash, end without one, use letters, digits, ".", "_", "~", "-".`,
    ],
    [
      "a prefix that hides the protocol",
      { args: ["--prefix", "/apps"] },
      `--prefix = "/apps" begins with /apps, which is a path of the protocol: choose another.`,
    ],
    [
      "a proxy that is no address",
      { args: ["--http-trusted-proxies", "10.0.0"] },
      `--http-trusted-proxies = "10.0.0" is not an address: write one such as 10.0.0.7 or 2001:db8::7, or a range such as 10.0.0.0/8.`,
    ],
    ["a flag without its value", { args: ["--port", "--dev"] }, "--port needs a value: --port VALUE."],
    ["a flag given twice", { args: ["--port", "1", "--port", "2"] }, "--port is given twice: give it once."],
    [
      "a word",
      { args: ["now"] },
      `"now" is one word too many: leave it out, or put quotes around what belongs together.`,
    ],
    ["broken TOML", { file: "a = = 1" }, "./earshot.toml is not valid TOML: Expected a value but found '='."],
    [
      "a certificate without its key",
      { args: ["--tls-cert", "c.pem"] },
      "tls.cert is set and tls.key is not: TLS needs both, --tls-cert FILE --tls-key FILE.",
    ],
    [
      "one port for both",
      { args: ["--metrics-port", "6001"] },
      "metrics.port = 6001 is the same as http.port: choose another, or 0 to serve /metrics there.",
    ],
  ];
  test.each(refused)("%s", (_name, given, text) => {
    expect(problems(given)).toEqual([text]);
  });

  test("what a secret setting holds is not repeated", () => {
    const given = {
      args: [
        "--database",
        "mysql://u:swordfish@h/d",
        "--app",
        "1:swordfish",
        "--metrics-token",
        "sword fish",
      ],
      file: 'apps.given = ["1:2:swordfish with space"]',
    };
    expect(problems(given)).toHaveLength(4);
    expect(problems(given).join("\n")).not.toContain("fish");
  });

  test("all problems are told at once", () => {
    expect(
      problems({ args: ["--port", "x", "--log-level", "y"], env: { EARSHOT_DEV: "z" }, file: "a = 1" }),
    ).toHaveLength(4);
  });
});

describe("a command's own form", () => {
  test("words and own flags are kept apart from settings", () => {
    const loaded = loadSettings(
      start({ args: ["news", "--json", "--app", "1:2:3", "-5", "--data=x", "--", "--raw"] }),
      {
        settings: ["data.dir"],
        own: { json: "boolean", app: "text", url: "text" },
        words: ["CHANNEL"],
        mayHaveMore: true,
      },
    );
    if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
    expect(loaded.words).toEqual(["news", "-5", "--raw"]);
    expect(loaded.own).toEqual({ json: true, app: "1:2:3" });
    expect(loaded.settings["data.dir"]).toBe("x");
    expect(loaded.settings["apps.given"]).toEqual([]);
  });

  test("a setting that the command does not take is refused", () => {
    expect(problems({ args: ["--port", "1"] }, { settings: ["data.dir"] })).toEqual([
      "There is no flag --port here. --help lists them.",
    ]);
  });

  test("words that are missing are named", () => {
    expect(problems({ args: ["7"] }, { words: ["ID", "KEY"] })).toEqual([
      "KEY must be given: --help tells more.",
    ]);
    expect(problems({}, { words: ["ID", "KEY"] })).toEqual(["ID and KEY must be given: --help tells more."]);
  });

  test("variables of the repository's own tests are left alone", () => {
    expect(problems({ env: { EARSHOT_TEST_POSTGRES_BIN: "x" } })).toEqual([]);
  });
});

test("print shows each value with its origin, and secrets as set", () => {
  const loaded = loadSettings(
    start({
      args: ["--port", "7001", "--database", "postgres://u:swordfish@h/d"],
      env: { EARSHOT_LOG_LEVEL: "debug" },
      file: 'http.prefixes = ["/a", "/b"]',
    }),
  );
  if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
  const lines = printSettings(loaded.settings, loaded.origins).split("\n");
  expect(lines).toHaveLength(SETTING_PATHS.length);
  const shown = lines.map((line) => line.replaceAll(/ +/g, " "));
  expect(shown).toContain("http.port = 7001 # --port");
  expect(shown).toContain("database.url = set # --database");
  expect(shown).toContain("metrics.token = not set # default");
  expect(shown).toContain(`log.level = "debug" # EARSHOT_LOG_LEVEL`);
  expect(shown).toContain(`http.prefixes = ["/a", "/b"] # ./earshot.toml`);
  expect(lines.join("\n")).not.toContain("swordfish");
});
