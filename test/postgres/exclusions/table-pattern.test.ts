import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type pg from "pg";
import { findExcluded } from "../../../shared/postgres/exclusions/excluded-tables.ts";
import { parseTablePatterns } from "../../../shared/postgres/exclusions/table-pattern.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";

const TABLES = [
  "public.log",
  "public.log_2026",
  'public."Log"',
  'public."lo*"',
  'public."a.b"',
  'public."with ""quote"""',
  "public.cost$",
  'public."odd, name"',
  "public.ab",
  "public.ac",
  "audit.log",
  "audit.entry_1",
  "audit.entry_12",
  '"Odd Schema".log',
  "public.größe",
];
const PATTERNS = [
  "log",
  "LOG",
  "log*",
  "lo?",
  '"Log"',
  '"lo*"',
  '"lo"*',
  'L"o"g',
  "*.log",
  "audit.*",
  "AUDIT.ENTRY_?",
  '"a.b"',
  '"with ""quote"""',
  "cost$",
  "public.a[bc]",
  "audit.(log|entry_1)",
  "audit.entry_\\d+",
  '"Odd Schema".log',
  '"odd, name"',
  "gr*",
  "GRÖSSE",
  "größ?",
  "pg_catalog.*",
  "nothing*",
  "log.*",
  "l+og",
];

describe("a pattern of tables", () => {
  let server: TestServer;
  let database: string;
  let client: pg.Client;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    client = await server.connect(database);
    await client.query(`CREATE SCHEMA audit; CREATE SCHEMA "Odd Schema"`);
    for (const table of TABLES) await client.query(`CREATE TABLE ${table} (a int)`);
  });
  after(async () => {
    await client.end();
    await server.dropDatabase(database);
  });

  /** Those whose rows pg_dump itself dumps all the same. */
  const dumped = async (...patterns: readonly string[]) => {
    const { binDir, host, port, user, password } = server;
    const options = patterns.map((pattern) => `--exclude-table-data=${pattern}`);
    const env = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
    const { stdout } = await execa(`${binDir}/pg_dump`, ["--data-only", ...options, database], { env });
    return [...stdout.matchAll(/^COPY (.+) \(a\) FROM stdin;$/gm)].map(([, name = ""]) => name).toSorted();
  };
  const left = async (...patterns: readonly string[]) => {
    const { tables } = await findExcluded(client, patterns);
    const sql = "SELECT format('%I.%I', s, n) AS name FROM unnest($1::text[], $2::text[]) AS t (s, n)";
    const values = [tables.map(({ schema }) => schema), tables.map(({ name }) => name)];
    const gone = new Set((await client.query<{ name: string }>(sql, values)).rows.map(({ name }) => name));
    return (await dumped()).filter((name) => !gone.has(name));
  };

  for (const pattern of [...PATTERNS, "db.public.log"])
    it(`names what pg_dump takes it for: ${pattern}`, async () => {
      const given = pattern.startsWith("db.") ? pattern.replace("db", database) : pattern;

      assert.deepEqual(await left(given), await dumped(given));
    });

  it("without a schema is looked for on the path of the database, as pg_dump does", async () => {
    await server.query(database, `ALTER DATABASE ${database} SET search_path = audit, public`);
    await client.end();
    client = await server.connect(database);

    const [given, byTool] = [await left("log"), await dumped("log")];

    assert.deepEqual(given, byTool);
    assert.deepEqual(await left("log"), byTool, "the path stays as it was for the next pattern");
    assert.ok(!given.includes("audit.log") && given.includes("public.log"), given.join());
  });

  it("of another database names nothing here", async () => {
    assert.deepEqual(await left("elsewhere.public.log"), await dumped());
  });

  for (const [list, patterns] of [
    ["log", ["log"]],
    [' audit.*,\n"odd, name" ', ["audit.*", '"odd, name"']],
    ["", undefined],
    ["a,,b", undefined],
    ['"open', undefined],
    ["a..b", undefined],
    ["a.b.c.d", undefined],
  ] as const)
    it(`stands in a list: ${JSON.stringify(list)}`, () => {
      assert.deepEqual(parseTablePatterns(list), patterns);
    });

  for (const bad of ["a(", "a{2,1}", "", '"open', "a.b.c.d"])
    it(`is none: ${bad}`, async () => {
      await assert.rejects(findExcluded(client, [bad]), { code: "exclusion_invalid" });
    });
});
