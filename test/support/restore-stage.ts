import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import { backedUpSample, type GivenSample } from "./backed-up.ts";
import { preload } from "./faulty.ts";
import {
  restoreEnvironment,
  spawnFunction,
  startFunction,
  type FunctionProcess,
} from "./function-process.ts";
import { sharedServer, type TestServer } from "./postgres.ts";
import { fingerprintOf } from "./sample-database.ts";
import { runDatabase } from "../../shared/postgres/databases/own-database.ts";

type Changes = Readonly<Record<string, string>>;

/** A database, one good backup of it, and restore functions. */
export type RestoreStage = {
  readonly server: TestServer;
  readonly database: string;
  readonly path: string;
  /** The role that owns the database and everything in it; its password is its name. */
  readonly owner: string;
  readonly backup: BackupManifest;
  /** The content that was backed up. */
  readonly original: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  start(changes?: Changes): Promise<FunctionProcess>;
  /** Starts a restore that is killed at one record of its run, as `before step fenced`; the path of that record. */
  kill(point: string, changes?: Changes, body?: Changes): Promise<string>;
  /** As a role that owns the database and everything in it, and may create none. */
  startAsOwner(): Promise<FunctionProcess>;
  readResult(answer: Promise<Response>): Promise<RestoreResult>;
  /** The change to undo. */
  destroyData(): Promise<void>;
  /** `:db` stands for the live database. */
  query(database: string, sql: string): Promise<pg.QueryResult>;
  fingerprint(database?: string): Promise<Record<string, string>>;
  /** The databases that bear this stage's name or begin with it. */
  databases(): Promise<string[]>;
  properties(database: string): Promise<unknown>;
  connectionLimit(): Promise<number>;
  before(run: string): string;
  /** As if the database that `run` keeps had been kept two days earlier: the server's clock decides when that is over. */
  letTimePass(run: string): Promise<unknown>;
  manifest(): Promise<BackupManifest>;
  runs(): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

const RECORD = /^restore-[0-9a-f]{24}\.json$/;

type Given = { readonly server?: TestServer } & Pick<GivenSample, "prepare" | "database">;

export async function setRestoreStage(given: Given = {}): Promise<RestoreStage> {
  const server = given.server ?? (await sharedServer());
  const sample = await backedUpSample(server, given);
  const { database, owner, path, backup } = sample;
  const environment = restoreEnvironment(server, database, path);
  const started: FunctionProcess[] = [];

  const query = (where: string, sql: string) =>
    server.query(where, sql.replaceAll(":db", pg.escapeIdentifier(database)));
  const print = (where = database) => fingerprintOf(server, where);
  const start = async (changes: Changes = {}) => {
    const restore = await startFunction("restore", { ...environment, ...changes });
    started.push(restore);
    return restore;
  };

  // The runs that a test looks at are its own.
  const runsBefore = new Set(await runFilesIn(path));
  const runs = async () => (await runFilesIn(path)).filter((name) => !runsBefore.has(name));

  return {
    server,
    database,
    path,
    owner,
    backup,
    environment,
    original: await print(),
    start,
    async kill(point, changes = {}, body = { filename: backup.name }) {
      const known = new Set(await runs());
      const fault = { ...preload("records-preload.ts"), DORMOUSE_TEST_RECORD: `kill ${point}` };
      const doomed = spawnFunction("restore", { ...environment, ...changes, ...fault });
      await doomed.logged("listening");
      await doomed.post(body).catch(() => undefined);
      assert.equal(await doomed.ended, "SIGKILL", JSON.stringify(doomed.lines.at(-1)));
      const record = (await runs()).find((name) => !known.has(name) && RECORD.test(name));
      return join(path, ".dormouse", "runs", record ?? "");
    },
    startAsOwner: () => start({ POSTGRESQL_USER: owner, POSTGRESQL_PASSWORD: owner }),
    async readResult(answer) {
      const response = await answer;
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return JSON.parse(text) as RestoreResult;
    },
    async destroyData() {
      await query(
        database,
        `SET ROLE ${owner}; DELETE FROM hire.equipment; DROP TABLE "Odd Names"."Größe";
         CREATE TABLE hire.newer (id int REFERENCES hire.owner);
         REFRESH MATERIALIZED VIEW hire.by_owner`,
      );
    },
    query,
    fingerprint: print,
    async databases() {
      const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname";
      const { rows } = await server.query("postgres", sql, [database]);
      return (rows as { datname: string }[]).map(({ datname }) => datname);
    },
    properties: (where) => readProperties(server, where),
    async connectionLimit() {
      const sql = "SELECT datconnlimit AS limit FROM pg_database WHERE datname = $1";
      const { rows } = await server.query("postgres", sql, [database]);
      return (rows as { limit: number }[])[0]?.limit ?? 0;
    },
    before: (run) => runDatabase(database, "before", run),
    letTimePass: (run) =>
      query(
        "postgres",
        `COMMENT ON DATABASE ${pg.escapeIdentifier(runDatabase(database, "before", run))} IS 'dormouse: kept by ${run} until 1970-01-01T00:00:00.000Z'`,
      ),
    manifest: async () =>
      JSON.parse(await readFile(join(path, `${backup.name}.json`), "utf8")) as BackupManifest,
    runs,
    async [Symbol.asyncDispose]() {
      for (const restore of started) await restore[Symbol.asyncDispose]();
      await sample[Symbol.asyncDispose]();
    },
  };
}

async function runFilesIn(path: string): Promise<string[]> {
  return (await readdir(join(path, ".dormouse", "runs"))).toSorted();
}

/** All that belongs to a database and is no part of its content. */
async function readProperties(server: TestServer, database: string): Promise<unknown> {
  const { rows } = await server.query(
    "postgres",
    `SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate, datctype,
       datconnlimit, datallowconn, shobj_description(oid, 'pg_database') AS comment,
       (SELECT array_agg(format('%s %s %s', a.grantee::regrole, a.privilege_type, a.is_grantable) ORDER BY 1)
         FROM (SELECT * FROM aclexplode(datacl) ORDER BY grantee, privilege_type) a) AS grants,
       (SELECT array_agg(format('%s %s', setrole::regrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting
         WHERE setdatabase = pg_database.oid) AS settings
     FROM pg_database WHERE datname = $1`,
    [database],
  );
  return rows;
}
