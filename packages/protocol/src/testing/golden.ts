import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const ROOT = new URL("../../../../test/golden/", import.meta.url);
const WRITES = (process.env["EARSHOT_WRITE_GOLDEN"] ?? "") !== "";

/** One folder of golden texts: what is compared in a test run, and which files nobody compared. */
export class Golden {
  readonly #folder: URL;
  readonly #asked = new Set<string>();

  constructor(folder: string) {
    this.#folder = new URL(`${folder}/`, ROOT);
  }

  /**
   * The text that lies under a name. With EARSHOT_WRITE_GOLDEN=1 in the environment, `actual` is written there first:
   * the change then shows in the diff, where somebody judges it.
   */
  text(name: string, actual: string): string {
    const file = new URL(`${name}.txt`, this.#folder);
    this.#asked.add(`${name}.txt`);
    if (WRITES) {
      mkdirSync(this.#folder, { recursive: true });
      writeFileSync(file, actual);
    }
    if (existsSync(file)) return readFileSync(file, "utf8");
    return `(there is no golden file ${name}.txt: run the test once with EARSHOT_WRITE_GOLDEN=1)`;
  }

  /** Files that lie in the folder and that no test asked for. */
  get strays(): string[] {
    return readdirSync(this.#folder).filter((file) => !this.#asked.has(file));
  }
}
