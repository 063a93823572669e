import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { backupEnvironment, manifestOf, startFunction } from "../../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

/** One value when it was analyzed, and many now: who analyzes it again, finds as many. */
const PREPARED = `SET ROLE $OWNER;
  CREATE TABLE hire.known (n int, own int, text text) WITH (autovacuum_enabled = off);
  INSERT INTO hire.known SELECT 1, own, 'same' FROM generate_series(1, 1000) own;
  CREATE INDEX ON hire.known (lower(text));
  ANALYZE hire.known; UPDATE hire.known SET n = own;
  CREATE TABLE hire.correlated (a int, b int);
  CREATE STATISTICS hire.both (ndistinct) ON a, b FROM hire.correlated;
  INSERT INTO hire.correlated SELECT n % 10, n % 10 FROM generate_series(1, 1000) n; ANALYZE hire.correlated`;

describe("the planner's statistics after a restore", () => {
  let stage: RestoreStage;
  /** The archive of PostgreSQL 18 brings them along. */
  let isBrought: boolean;

  before(async () => {
    stage = await setRestoreStage({
      async prepare(server, database) {
        const sql = "SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1";
        const { rows } = await server.query("postgres", sql, [database]);
        await server.query(
          database,
          PREPARED.replace("$OWNER", (rows as { owner: string }[])[0]?.owner ?? ""),
        );
      },
    });
    isBrought = stage.server.major >= 18;
  });

  after(() => stage[Symbol.asyncDispose]());

  const values = async () => {
    const { rows } = await stage.query(
      stage.database,
      "SELECT n_distinct FROM pg_stats WHERE schemaname = 'hire' AND tablename = 'known' AND attname = 'n'",
    );
    return (rows as { n_distinct: number }[]).map(({ n_distinct }) => n_distinct);
  };
  /** Of tables with rows, and of indexes by expressions. */
  const withoutStatistics = async () => {
    const { rows } = await stage.query(
      stage.database,
      `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relnamespace = 'hire'::regnamespace
         AND (c.relkind IN ('r', 'm') OR EXISTS (SELECT FROM pg_index WHERE indexrelid = c.oid AND indexprs IS NOT NULL))
         AND NOT EXISTS (SELECT FROM pg_statistic WHERE starelid = c.oid) ORDER BY 1`,
    );
    return (rows as { name: string }[]).map(({ name }) => name);
  };
  const extended = async () => {
    const { rows } = await stage.query(
      stage.database,
      "SELECT n_distinct IS NOT NULL AS made FROM pg_stats_ext WHERE statistics_name = 'both'",
    );
    return rows;
  };

  for (const strategy of ["swap", "in-place"] as const)
    it(`are those of the archive where it has them, and made where it has none: ${strategy}`, async () => {
      const restore = await (strategy === "swap" ? stage.start() : stage.startAsOwner());
      // Before 15 a dump does not say whose it is.
      if (stage.server.major < 15)
        await stage.query(stage.database, `ALTER SCHEMA public OWNER TO ${stage.owner}`);

      await stage.readResult(restore.post({ filename: stage.backup.name, strategy }));

      assert.deepEqual(await values(), [isBrought ? 1 : -1]);
      assert.deepEqual(await withoutStatistics(), []);
      assert.deepEqual(await extended(), [{ made: true }]);
    });

  it("are made anew where an entry is left out: they may be of what is not there", async () => {
    const restore = await stage.start();
    const left = { filename: stage.backup.name, leaveOut: [`TABLE DATA hire correlated ${stage.owner}`] };

    await stage.readResult(restore.post(left));

    assert.deepEqual(await values(), [-1]);
  });

  it("stay out of an archive without all rows: they would show values of rows that were left out", async () => {
    await using backup = await startFunction(
      "backup",
      backupEnvironment(stage.server, stage.database, stage.path),
    );
    const { name } = await manifestOf(await backup.post({ excludeTableData: ["hire.correlated"] }));
    const restore = await stage.start();

    await stage.readResult(restore.post({ filename: name }));

    assert.deepEqual(await values(), [-1]);
  });
});
