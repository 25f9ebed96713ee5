import { runProgram } from "./program.ts";
import { until } from "./until.ts";

/**
 * Tells when a server has taken up every change that was made before: it reads all apps at once, so when it knows of a
 * further change, an app that was made or deleted last, it knows of those too.
 */
export class AppMarker {
  readonly #where: readonly string[];
  #id: string | undefined;

  constructor(where: readonly string[]) {
    this.#where = where;
  }

  async takenUp(url: string): Promise<void> {
    const before = this.#id;
    const id = before ?? (await this.#create());
    if (before !== undefined) await runProgram(["apps", "delete", before, ...this.#where]);
    this.#id = before === undefined ? id : undefined;
    const isKnown = before === undefined;
    await until("the server has taken up the change", async () => {
      const { status } = await fetch(`${url}/apps/${id}/channels`, { tls: { rejectUnauthorized: false } });
      return (status !== 404) === isKnown;
    });
  }

  async #create(): Promise<string> {
    const made: unknown = JSON.parse(await runProgram(["apps", "create", "--json", ...this.#where]));
    if (typeof made === "object" && made !== null && "id" in made) return String(made.id);
    throw new Error("earshot apps create --json tells no id");
  }
}
