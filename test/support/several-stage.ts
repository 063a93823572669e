import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import pg from "pg";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "./function-process.ts";
import { sharedServer, type TestServer } from "./postgres.ts";
import { temporaryFolder } from "./volume.ts";

type Changes = Readonly<Record<string, string>>;

/** Databases of one installation, each with a table `t` of one row that says which it is, and a backup of each. */
export type SeveralStage = {
  readonly server: TestServer;
  readonly path: string;
  /** With odd names; each begins with the one before it. */
  readonly databases: readonly [string, string, string];
  /** Of each database its backup. */
  readonly backups: ReadonlyMap<string, string>;
  start(changes?: Changes): Promise<FunctionProcess>;
  result(answer: Promise<Response>): Promise<RestoreResult>;
  /** What `t` says. */
  says(database: string): Promise<string>;
  /** Lets each `t` say `spoilt`. */
  spoil(): Promise<void>;
  /** All whose name begins as those of the stage do. */
  all(): Promise<readonly string[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function setSeveralStage(): Promise<SeveralStage> {
  const server = await sharedServer();
  const volume = await temporaryFolder();
  const prefix = `several_${randomBytes(4).toString("hex")}`;
  const databases = [`${prefix}_a`, `${prefix}_a_b`, `${prefix}_a_b=c; d,"é`] as const;
  for (const database of databases) {
    await server.createDatabase(database);
    await server.query(database, `CREATE TABLE t AS SELECT ${pg.escapeLiteral(database)}::text AS says`);
  }
  const { POSTGRESQL_DATABASE: _, ...one } = backupEnvironment(server, "", volume.path);
  const environment = { ...one, POSTGRESQL_DATABASES: `${prefix}_*` };
  const started: FunctionProcess[] = [];
  const all = async () => {
    const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname";
    const { rows } = await server.query("postgres", sql, [prefix]);
    return (rows as { datname: string }[]).map(({ datname }) => datname);
  };

  return {
    server,
    path: volume.path,
    databases,
    backups: await backUpAll(environment),
    async start(changes = {}) {
      const restore = await startFunction("restore", { ...environment, ...changes });
      started.push(restore);
      return restore;
    },
    async result(answer) {
      const response = await answer;
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return JSON.parse(text) as RestoreResult;
    },
    async says(database) {
      const { rows } = await server.query(database, "SELECT says FROM t");
      return (rows as { says: string }[])[0]?.says ?? "";
    },
    async spoil() {
      for (const database of databases) await server.query(database, "UPDATE t SET says = 'spoilt'");
    },
    all,
    async [Symbol.asyncDispose]() {
      for (const restore of started) await restore[Symbol.asyncDispose]();
      for (const database of await all()) await server.dropDatabase(database);
      await volume[Symbol.asyncDispose]();
    },
  };
}

async function backUpAll(environment: Changes): Promise<ReadonlyMap<string, string>> {
  await using backup = await startFunction("backup", environment);
  const response = await backup.post({});
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { databases } = JSON.parse(text) as { databases: { database: string; manifest: { name: string } }[] };
  return new Map(databases.map(({ database, manifest }) => [database, manifest.name]));
}
