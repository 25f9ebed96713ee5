/** People who may use the dashboard. */
import { randomInt } from "node:crypto";
import { type Database, textOf } from "./sql.ts";

const FIRST_OPERATOR = "operator";
const PASSWORD_CHARS = 20; // ours: 20 of 56 letters are 116 bits
const LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // none that look alike
const MAX_PASSWORD_CHARS = 1_024; // ours: a longer one is not worth hashing

export interface NewOperator {
  readonly name: string;
  /** Shown once: only its hash is kept. */
  readonly password: string;
}

export class Operators {
  readonly #database: Database;
  readonly #wallMs: () => number;

  constructor(database: Database, wallMs: () => number = Date.now) {
    this.#database = database;
    this.#wallMs = wallMs;
  }

  /** Makes the first operator with a generated password, or nothing where there is one already. */
  async makeFirst(): Promise<NewOperator | undefined> {
    if (
      await this.#database.read(
        async (sql) => (await sql`SELECT name FROM earshot_operators LIMIT 1`).length > 0,
      )
    ) {
      return undefined;
    }
    const password = generatePassword();
    const hash = await hashOf(password);
    return await this.#database.write(async (sql) => {
      if ((await sql`SELECT name FROM earshot_operators LIMIT 1`).length > 0) return undefined;
      await sql`
        INSERT INTO earshot_operators (name, password_hash, created_ms)
        VALUES (${FIRST_OPERATOR}, ${hash}, ${this.#wallMs()})`;
      return { name: FIRST_OPERATOR, password };
    });
  }

  /** Takes as long for a name that does not exist. */
  async verify(name: string, password: string): Promise<boolean> {
    if (password.length > MAX_PASSWORD_CHARS || name.includes("\0")) return false; // PostgreSQL takes no NUL
    const rows = await this.#database.read(
      (sql) => sql`SELECT password_hash FROM earshot_operators WHERE name = ${name}`,
    );
    if (rows[0] !== undefined) return await Bun.password.verify(password, textOf(rows[0], "password_hash"));
    await Bun.password.verify(password, await hashOfNobody());
    return false;
  }
}

function hashOf(password: string): Promise<string> {
  return Bun.password.hash(password, { algorithm: "argon2id" });
}

let nobody: Promise<string> | undefined;

function hashOfNobody(): Promise<string> {
  nobody ??= hashOf(generatePassword());
  return nobody;
}

function generatePassword(): string {
  return Array.from({ length: PASSWORD_CHARS }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}
