import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "./database.ts";
import { migrate } from "./migrate.ts";
import { MIGRATIONS } from "./migrations.ts";
import { PostgresDatabase } from "./postgres.ts";
import { Refused } from "./refused.ts";
import { type Database, DatabaseProblem, numberOf } from "./sql.ts";
import { failure } from "./testing/failure.ts";
import { onEachDatabase, onPostgres, onSqlite } from "./testing/places.ts";

const countOf = (database: Database) =>
  database.read(async (sql) =>
    numberOf((await sql`SELECT count FROM earshot_app_changes`)[0] ?? {}, "count"),
  );

const raise = (database: Database, pauseMs = 0) =>
  database.write(async (sql) => {
    const [row = {}] = await sql`SELECT count FROM earshot_app_changes`;
    if (pauseMs > 0) await Bun.sleep(pauseMs);
    await sql`UPDATE earshot_app_changes SET count = ${numberOf(row, "count") + 1}`;
  });

onEachDatabase(({ place, open }) => {
  test("a new database is migrated, and found migrated", async () => {
    const there = await place();
    expect(await countOf(await open(there))).toBe(1);
    await raise(await open(there));
    expect(await countOf(await open(there))).toBe(2);
  });

  test("several that migrate at once do not collide", async () => {
    const there = await place();
    const databases = await Promise.all(Array.from({ length: 6 }, () => open(there)));
    for (const database of databases) expect(await countOf(database)).toBe(1);
  });

  test("a database of a newer version is refused in one line that says what to do", async () => {
    const there = await place();
    const database = await open(there);
    await migrate(database, [...MIGRATIONS, { version: 99, title: "of tomorrow", statements: [] }]);
    const error = await failure(openDatabase(there));
    expect(error).toBeInstanceOf(Refused);
    expect(error.message).toContain("has version 99, from a newer Earshot");
    expect(error.message).toContain("start that newer Earshot, or give this one another database");
    expect(error.message).not.toContain("\n");
  });

  test("a migration that fails leaves nothing behind", async () => {
    const there = await place();
    const database = await open(there);
    const broken = {
      version: 99,
      title: "broken",
      statements: ["CREATE TABLE half (a INTEGER)", "CREATE NONSENSE"],
    };
    expect(await failure(migrate(database, [...MIGRATIONS, broken]))).toBeInstanceOf(DatabaseProblem);
    expect(await failure(database.read((sql) => sql`SELECT * FROM half`))).toBeInstanceOf(DatabaseProblem);
    await migrate(database);
  });

  test("writers of one client and of several wait for each other", async () => {
    const there = await place();
    const databases = [await open(there), await open(there), await open(there)];
    await Promise.all(databases.flatMap((database) => [1, 2, 3, 4].map(() => raise(database, 2))));
    for (const database of databases) expect(await countOf(database)).toBe(13);
  });

  test("a query beside a transaction that is undone is not undone with it", async () => {
    const there = await place();
    const database = await open(there);
    const begun = Promise.withResolvers<void>();
    const undone = database.write(async (sql) => {
      await sql`UPDATE earshot_app_changes SET count = 50`;
      begun.resolve();
      await Bun.sleep(10); // long enough for the query beside it to be sent
      throw new TypeError("undo");
    });
    await begun.promise;
    const beside = raise(database);
    expect(await failure(undone)).toEqual(new TypeError("undo"));
    await beside;
    expect(await countOf(database)).toBe(2);
  });

  test("a reader sees one state, whatever is written meanwhile", async () => {
    const there = await place();
    const reader = await open(there);
    const writer = await open(there);
    await reader.read(async (sql) => {
      const [before = {}] = await sql`SELECT count FROM earshot_app_changes`;
      await raise(writer);
      const [after = {}] = await sql`SELECT count FROM earshot_app_changes`;
      expect(numberOf(after, "count")).toBe(numberOf(before, "count"));
    });
    expect(await countOf(reader)).toBe(2);
  });
});

onSqlite(({ place, open }) => {
  test("the file can be read by its owner only", async () => {
    const { dataDir } = await place();
    await open({ dataDir, url: "" });
    expect(statSync(join(dataDir, "earshot.db")).mode & 0o777).toBe(0o600);
  });

  test("a folder that is not there, or a file that is no database, is told in one line", async () => {
    const { dataDir, url } = await place();
    expect((await failure(open({ dataDir: join(dataDir, "none"), url }))).message).toMatch(
      /^The database .*earshot\.db cannot be used \(.*\): see that/,
    );
    await Bun.write(join(dataDir, "earshot.db"), "not a database ".repeat(100));
    const error = await failure(open({ dataDir, url }));
    expect(error).toBeInstanceOf(DatabaseProblem);
    expect(error.message).toContain("file is not a database");
  });
});

onPostgres(({ place, open }, server) => {
  test("the database of the address is used, whatever PGDATABASE says", async () => {
    const there = await place();
    process.env["PGDATABASE"] = "another";
    try {
      expect(await countOf(await open(there))).toBe(1);
    } finally {
      delete process.env["PGDATABASE"];
    }
  });

  test("a server that is not there, or refuses the login, is told in one line without the password", async () => {
    const url = new URL((await place()).url);
    url.password = "swordfish";
    const refused = await failure(open({ dataDir: "", url: url.href }));
    expect(refused).toBeInstanceOf(DatabaseProblem);
    expect(refused.message).toContain("password authentication failed");
    url.port = "1";
    const away = await failure(open({ dataDir: "", url: url.href }));
    expect(away.message).toContain("see that it runs and that the address is right");
    for (const { message } of [refused, away]) {
      expect(message).not.toContain("swordfish");
      expect(message).not.toContain("\n");
    }
  });

  test("a server that crashed is used again when it is back", async () => {
    const database = await open(await place());
    await raise(database);
    await server().crash();
    expect(await failure(countOf(database))).toBeInstanceOf(DatabaseProblem);
    await server().resume();
    expect(await countOf(database)).toBe(2);
  });

  test("a server that falls silent is given up, and asked anew on other connections", async () => {
    const there = await place();
    await open(there);
    const impatient = new PostgresDatabase(there.url, 100);
    const silent = impatient.read((sql) => sql`SELECT pg_sleep(60)`);
    expect((await failure(silent)).message).toContain("did not answer within 0.1 s");
    expect(await countOf(impatient)).toBe(1);
    await impatient.close();
  });
});
