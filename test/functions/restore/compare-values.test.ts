import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { TestServer } from "../../support/postgres.ts";
import { problemIn } from "../../support/faulty.ts";
import type { FunctionProcess } from "../../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

/** Values that are easily written in another way than they were: by settings, by types, and by where columns stand. */
const ODD_VALUES = String.raw`
  ALTER DATABASE :db SET "DateStyle" = 'German, DMY'; ALTER DATABASE :db SET "IntervalStyle" = 'sql_standard';
  ALTER DATABASE :db SET "TimeZone" = 'America/St_Johns'; ALTER DATABASE :db SET bytea_output = 'escape';
  ALTER DATABASE :db SET extra_float_digits = '-3'; ALTER DATABASE :db SET lc_monetary = 'C';
  CREATE SCHEMA odd;
  CREATE TABLE odd.parent (a int, b text);
  CREATE TABLE odd.child (own text, b text, a int);
  ALTER TABLE odd.child INHERIT odd.parent;
  INSERT INTO odd.parent VALUES (1, 'x'); INSERT INTO odd.child VALUES ('1', '2', 3), (NULL, '', 4), (NULL, '', 4);
  ALTER TABLE odd.parent ADD COLUMN late int DEFAULT 7;
  CREATE TYPE odd.pair AS (n int, t text); CREATE TYPE odd.mood AS ENUM ('good', 'bad');
  CREATE TABLE odd.mixed (id bigint GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (n * 2) STORED, dropped int,
    n int, f4 real, f8 double precision, at timestamptz, day date, span interval, raw bytea, price money, pairs odd.pair[],
    js json, spread int4range, bits bit(3), tree xml, search tsvector, address inet, whom regclass);
  ALTER TABLE odd.mixed DROP COLUMN dropped;
  INSERT INTO odd.mixed (n, f4, f8, at, day, span, raw, price, pairs, js, spread, bits, tree, search, address, whom)
    SELECT n, n / 3.0, pi() * n, '2026-11-01Z'::timestamptz + n * interval '7 hours', '2026-01-31', '1 mon -2 days 3.5 sec',
      decode('00ff5c0a27', 'hex'), n, ARRAY[(n, E'tab\t"quote"')::odd.pair, NULL], '{"a" :  1}', '[1,9)', '101',
      '<a>&amp;</a>', 'a:1 b:2', '::1', 'odd.parent' FROM generate_series(1, 500) n;
  CREATE TABLE odd.by_mood (mood odd.mood, n int) PARTITION BY HASH (mood);
  CREATE TABLE odd.by_mood_0 PARTITION OF odd.by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE odd.by_mood_1 PARTITION OF odd.by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  INSERT INTO odd.by_mood VALUES ('good', 1), ('bad', 2), ('bad', 2);
  SELECT lo_from_bytea(20002, ''); SELECT lo_from_bytea(20003, decode(repeat('00ff', 20000), 'hex'));
  CREATE SEQUENCE odd.counter START 5; SELECT nextval('odd.counter');`;

/** Loaded first, and then altered by what a later table checks: as many rows, and other values. */
const ALTERED = String.raw`
  CREATE SCHEMA odd; CREATE TABLE odd.a_log (n int); INSERT INTO odd.a_log VALUES (1), (2);
  CREATE FUNCTION odd.note(int) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN UPDATE odd.a_log SET n = n + 1 WHERE n < 5; RETURN true; END $$;
  CREATE TABLE odd.z (n int CHECK (odd.note(n))); ALTER TABLE odd.z DISABLE TRIGGER ALL;
  INSERT INTO odd.z VALUES (1);`;

describe("a restore that compares values", () => {
  let stage: RestoreStage;
  let restore: FunctionProcess;

  before(async () => {
    stage = await setRestoreStage({ prepare: filled(ODD_VALUES) });
    restore = await stage.start();
  });

  after(() => stage[Symbol.asyncDispose]());

  it("finds that all came back, whatever types and settings write, and says so in the manifest", async () => {
    const { compared } = await stage.readResult(restore.post({ filename: "latest", into: "scratch" }));

    const { tables, rows } = stage.backup.content;
    // Rows of a table with partitions by the hash of an enum are dumped for each partition, and loaded through the table.
    const names = new Set(tables.map(({ schema, name }) => `${schema}.${name}`));
    assert.deepEqual(compared, { tables: names.size, rows, by: "values" });
    assert.equal((await stage.manifest()).verification.level, "compared");
  });

  it("counts only, unless it is asked for values", async () => {
    const counted = await stage.readResult(restore.post({ filename: "latest", into: `${stage.database}_1` }));
    const body = { filename: "latest", into: `${stage.database}_2`, compare: "values" };
    const compared = await stage.readResult(restore.post(body));

    assert.deepEqual([counted.compared?.by, compared.compared?.by], ["counts", "values"]);
  });

  it("is refused in place, where nothing can be read back before the commit", async () => {
    const problem = await problemIn(
      restore.post({ filename: "latest", strategy: "in-place", compare: "values" }),
    );

    assert.deepEqual([problem.status, problem.code], [400, "request_invalid"]);
  });

  const claims: readonly (readonly [string, RegExp, (content: Content) => Partial<Content>])[] = [
    ["a table", /other values in hire\.owner$/, withTable],
    [
      "a sequence",
      /other values in sequences$/,
      ({ sequences }) => ({ sequences: { count: 0, ...sequences, hash: "0" } }),
    ],
    ["a large object", /other values in large objects$/, () => ({ largeObjectsHash: "1".repeat(32) })],
  ];
  for (const [what, detail, change] of claims)
    it(`fails, and proves nothing, where the values of ${what} are others`, async () => {
      await claiming(
        stage,
        (content) => ({ ...content, ...change(content) }),
        async () => {
          const problem = await problemIn(restore.post({ filename: "latest", into: "scratch" }));

          assert.deepEqual([problem.status, problem.code], [500, "values_differ"]);
          assert.match(problem.detail, detail);
        },
      );
    });

  it("says that it only counted where the backup has no hashes", async () => {
    await claiming(
      stage,
      (content) => ({ ...content, hashing: undefined }),
      async () => {
        const { compared } = await stage.readResult(restore.post({ filename: "latest", into: "scratch" }));

        assert.deepEqual(compared?.onlyCounted, ["all: the backup has no hashes of its values"]);
        assert.equal((await stage.manifest()).verification.level, "counted");
      },
    );
  });
});

it("a restore fails where values were altered while they were loaded, and the live database stays", async () => {
  await using stage = await setRestoreStage({ prepare: filled(ALTERED) });
  const restore = await stage.start({ RESTORE_JOBS: "1" });

  const rehearsed = await problemIn(restore.post({ filename: "latest", into: "scratch" }));
  const swapped = await problemIn(restore.post({ filename: "latest", compare: "values" }));

  for (const problem of [rehearsed, swapped]) {
    assert.equal(problem.code, "values_differ");
    assert.match(problem.detail, /other values in odd\.a_log$/);
  }
  assert.deepEqual(await stage.fingerprint(), stage.original);
  assert.deepEqual(await stage.databases(), [stage.database]);
  assert.equal((await stage.manifest()).verification.level, "read");
});

type Content = BackupManifest["content"];

function filled(sql: string) {
  return (server: TestServer, database: string) =>
    server.query(database, sql.replaceAll(":db", pg.escapeIdentifier(database)));
}

function withTable({ tables }: Content): Partial<Content> {
  return {
    tables: tables.map((table) => (table.name === "owner" ? { ...table, hash: "f".repeat(32) } : table)),
  };
}

async function claiming(
  { path, backup }: RestoreStage,
  change: (content: Content) => Content,
  work: () => Promise<void>,
): Promise<void> {
  const file = join(path, `${backup.name}.json`);
  const before = await readFile(file, "utf8");
  const manifest = JSON.parse(before) as BackupManifest;
  await writeFile(file, JSON.stringify({ ...manifest, content: change(manifest.content) }));
  try {
    await work();
  } finally {
    await writeFile(file, before);
  }
}
