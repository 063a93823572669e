import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { temporaryFolder } from "../../support/volume.ts";

const OWNER = `by_encoding_${process.pid}`;

type Kind = {
  readonly encoding: string;
  /** In which database a setting is given: the catalog keeps its bytes as that one has them. */
  readonly from: "inside" | "outside";
  readonly value: string;
  /** Of a MAINTENANCE_DATABASE, if not that of `postgres`. */
  readonly maintenance?: string;
};

const KINDS: readonly Kind[] = [
  { encoding: "LATIN1", from: "inside", value: "größe" },
  { encoding: "LATIN1", from: "outside", value: "größe", maintenance: "SQL_ASCII" },
  { encoding: "EUC_JP", from: "inside", value: "日本", maintenance: "LATIN1" },
  { encoding: "SQL_ASCII", from: "inside", value: "größe" },
  { encoding: "SQL_ASCII", from: "outside", value: "日本" },
  { encoding: "UTF8", from: "outside", value: "größe 日本" },
];

describe("settings beyond ASCII", () => {
  let server: TestServer;
  before(async () => {
    server = await sharedServer();
    await server.query("postgres", `CREATE ROLE ${OWNER}`);
  });
  after(() => server.query("postgres", `DROP ROLE ${OWNER}`));

  async function makeEmpty(name: string, encoding: string): Promise<void> {
    await server.query(
      "postgres",
      `CREATE DATABASE ${name} TEMPLATE template0 OWNER ${OWNER} ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
  }

  async function make(name: string, { encoding, from, value, maintenance }: Kind): Promise<string> {
    await makeEmpty(name, encoding);
    if (maintenance !== undefined) await makeEmpty(`maintenance_${name}`, maintenance);
    const where = from === "inside" ? name : "postgres";
    await server.query(where, `ALTER DATABASE ${name} SET app.tenant = '${value} \\ ''x'''`);
    await server.query(where, `ALTER DATABASE ${name} SET application_name = '${value}'`);
    await server.query(where, `ALTER ROLE ${OWNER} IN DATABASE ${name} SET app.other = '${value}'`);
    await server.query(
      name,
      `CREATE TABLE t (tenant text CHECK (tenant = current_setting('app.tenant')));
       INSERT INTO t SELECT current_setting('app.tenant')`,
    );
    return maintenance === undefined ? "postgres" : `maintenance_${name}`;
  }

  /** As bytes: a session reads them in the encoding of its own database. */
  async function bytesOf(name: string): Promise<readonly unknown[]> {
    const sql = `SELECT setrole::regrole::text AS role, encode(textsend(item), 'hex') AS item
      FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) item
      WHERE datname = $1 ORDER BY 1, 2`;
    const { rows } = await server.query("postgres", sql, [name]);
    const seen = "SELECT (tenant = current_setting('app.tenant')) AS same FROM t";
    return [...rows, ...(await server.query(name, seen)).rows];
  }

  async function byHand({ restoreByHand }: BackupManifest, cwd: string): Promise<void> {
    const { host, port, user, password, binDir } = server;
    const own = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
    await execa("sh", ["-c", restoreByHand], {
      cwd,
      env: { PATH: `${binDir}:${process.env["PATH"]}`, ...own },
    });
  }

  for (const [index, kind] of KINDS.entries())
    it(`are the same bytes after a restore: ${Object.values(kind).join(", ")}`, async () => {
      const name = `by_encoding_${process.pid}_${index}`;
      await using volume = await temporaryFolder();
      const MAINTENANCE_DATABASE = await make(name, kind);
      const original = await bytesOf(name);
      const environmentOf = (made: typeof backupEnvironment) => ({
        ...made(server, name, volume.path),
        MAINTENANCE_DATABASE,
      });
      await using backup = await startFunction("backup", environmentOf(backupEnvironment));
      const manifest = await manifestOf(await backup.post());
      await using restore = await startFunction("restore", environmentOf(restoreEnvironment));
      const restored = async (body: object = {}) => {
        const answer = await restore.post({ filename: "latest", ...body });
        assert.equal(answer.status, 200, await answer.text());
      };

      await restored();
      assert.deepEqual(await bytesOf(name), original, "swapped");
      await restored({ into: "scratch" });
      await byHand(manifest, volume.path);
      assert.deepEqual(await bytesOf(`${name}_restored`), original, "by hand");
      const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
      for (const { datname } of (await server.query("postgres", sql, [name])).rows as { datname: string }[])
        await server.dropDatabase(datname);
      await restored();
      assert.deepEqual(await bytesOf(name), original, "made anew");
      await server.dropDatabase(name);
      if (kind.maintenance !== undefined) await server.dropDatabase(MAINTENANCE_DATABASE);
    });

  it("that are no text of the database's encoding stop nothing, and are reported", async () => {
    const name = `by_encoding_${process.pid}_x`;
    await using volume = await temporaryFolder();
    await makeEmpty(name, "EUC_JP");
    await server.query("postgres", `ALTER DATABASE ${name} SET app.tenant = 'größe'`);
    await server.query("postgres", `ALTER ROLE ${OWNER} SET app.motto = 'größe'`);
    await server.query(name, "CREATE TABLE t AS SELECT 1 AS id");

    await using backup = await startFunction("backup", backupEnvironment(server, name, volume.path));
    const { warnings } = await manifestOf(await backup.post());
    await using restore = await startFunction("restore", restoreEnvironment(server, name, volume.path));
    const plan = await askPlan(restore, { filename: "latest" });
    const answer = await restore.post({ filename: "latest", into: `${name}_beside` });

    assert.equal(answer.status, 200, await answer.text());
    for (const told of [warnings, plan.warnings])
      assert.match(told.join("\n"), /no text of EUC_JP is not given .*: app\.tenant/);
    assert.match(warnings.join("\n"), new RegExp(`app\\.motto of role ${OWNER}`));
    for (const each of [name, `${name}_beside`]) await server.dropDatabase(each);
  });
});
