import { expect, test } from "bun:test";
import { Operators } from "./operators.ts";
import { onEachDatabase } from "./testing/places.ts";

onEachDatabase(({ place, open }) => {
  test("the first operator is made once, with a generated password that verifies", async () => {
    const there = await place();
    const operators = new Operators(await open(there));
    const operator = await operators.makeFirst();
    expect(operator?.name).toBe("operator");
    expect(operator?.password).toMatch(/^[a-zA-Z2-9]{20}$/);
    expect(await operators.makeFirst()).toBeUndefined();
    expect(await new Operators(await open(there)).makeFirst()).toBeUndefined();
    const { name = "", password = "" } = operator ?? {};
    expect(await operators.verify(name, password)).toBe(true);
    for (const wrong of ["", password.slice(1), `${password} `, "x".repeat(100_000)]) {
      expect(await operators.verify(name, wrong)).toBe(false);
    }
    for (const nobody of ["", "nobody", "operator\0", "' OR 1=1 --"]) {
      expect(await operators.verify(nobody, password)).toBe(false);
    }
  });

  test("only an argon2id hash is kept", async () => {
    const database = await open(await place());
    const operator = await new Operators(database).makeFirst();
    const rows = await database.read((sql) => sql`SELECT * FROM earshot_operators`);
    expect(String(rows[0]?.["password_hash"])).toStartWith("$argon2id$");
    expect(JSON.stringify(rows)).not.toContain(operator?.password ?? "");
  });

  test("two that start at once make one operator", async () => {
    const there = await place();
    const both = await Promise.all([open(there), open(there)]);
    const made = await Promise.all(both.map((database) => new Operators(database).makeFirst()));
    expect(made.filter((operator) => operator !== undefined)).toHaveLength(1);
  });
});
