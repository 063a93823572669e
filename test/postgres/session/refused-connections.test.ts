import assert from "node:assert/strict";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { findClientTools } from "../../../shared/postgres/client-tools.ts";
import { connect } from "../../../shared/postgres/session/connection.ts";
import { openLibpq } from "../../../shared/postgres/session/libpq.ts";
import { startDump } from "../../../shared/postgres/pg-dump.ts";
import { installation } from "../../support/installation.ts";
import { anInspection, collect, dumpOptions, settingsOf } from "../../support/postgres-adapter.ts";
import { startPostgres, type OwnServer } from "../../support/postgres.ts";

const never = new AbortController().signal;

type Row = readonly [what: string, sql: string, database: string, code: string, hint: RegExp];

/** Each makes the role `app` be refused in another way. */
const ROWS: readonly Row[] = [
  [
    "no CONNECT",
    "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
    "closed",
    "connection_refused",
    /GRANT CONNECT ON DATABASE "closed" TO/,
  ],
  ["no line of pg_hba.conf", "SELECT 1", "nowhere", "connection_refused", /pg_hba\.conf/],
  ["a line of pg_hba.conf that rejects", "SELECT 1", "shut", "connection_refused", /pg_hba\.conf/],
  [
    "a closed database",
    "ALTER DATABASE fenced ALLOW_CONNECTIONS false",
    "fenced",
    "connection_refused",
    /ALTER DATABASE "fenced" ALLOW_CONNECTIONS/,
  ],
  [
    "a database half dropped",
    "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'",
    "half",
    "connection_refused",
    /DROP DATABASE "half" was interrupted/,
  ],
  ["template0", "SELECT 1", "template0", "connection_refused", /another database in MAINTENANCE_DATABASE/],
  [
    "a full database",
    "ALTER DATABASE full_one CONNECTION LIMIT 0",
    "full_one",
    "connections_exhausted",
    /ALTER DATABASE "full_one" CONNECTION LIMIT/,
  ],
  ["a missing database", "SELECT 1", "missing", "database_not_found", /POSTGRESQL_DATABASE/],
  [
    "a role at its limit",
    "ALTER ROLE app CONNECTION LIMIT 0",
    "open",
    "connections_exhausted",
    /ALTER ROLE "app" CONNECTION/,
  ],
  [
    "a role without LOGIN",
    "ALTER ROLE app NOLOGIN CONNECTION LIMIT -1",
    "open",
    "connection_refused",
    /ALTER ROLE "app" LOGIN/,
  ],
];

describe("a connection that the server refuses", () => {
  let server: OwnServer;
  before(async () => {
    server = await startPostgres();
    for (const name of ["closed", "shut", "fenced", "full_one", "half", "open"])
      await server.createDatabase(name);
    await server.query("postgres", "CREATE ROLE app LOGIN PASSWORD 'app'");
    await onlyThese(server, ["host shut app all reject", "host nowhere app ::1/128 trust"]);
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [what, sql, database, code, hint] of ROWS) {
    it(`gets its own error and hint: ${what}`, async () => {
      await server.query("postgres", sql);
      const settings = settingsOf(server, { user: "app", password: "app" });
      await using libpq = await openLibpq(settings);
      const tools = await findClientTools(server.major, server.binDir, "");
      const request = { database, inspection: anInspection, leaveOut: [] };

      const ours = connect(settings, database, never);
      const dump = startDump({ tools, libpq, options: dumpOptions(server), request }, never);

      const refusals = [ours, collect(dump.archive)];
      await Promise.all(refusals.map((refused) => assert.rejects(refused, { code, hint })));
    });
  }
});

/** What other databases than `nowhere` are let in by stands behind these lines. */
async function onlyThese(server: OwnServer, lines: readonly string[]): Promise<void> {
  const { rows } = await server.query("postgres", "SHOW hba_file");
  const path = (await installation()).root + (rows as [{ hba_file: string }])[0].hba_file;
  const before = await readFile(path, "utf8");
  const others = before.replace(
    /^host +all +all/gm,
    "host closed,fenced,full_one,half,open,missing,postgres,template0 all",
  );
  await writeFile(path, `${lines.join("\n")}\n`);
  await appendFile(path, others);
  await server.query("postgres", "SELECT pg_reload_conf()");
}

it("a database whose encoding has no way to UTF-8 says which", async () => {
  await using server = await startPostgres();
  await server.query(
    "postgres",
    "CREATE DATABASE mule TEMPLATE template0 ENCODING 'MULE_INTERNAL' LC_COLLATE 'C' LC_CTYPE 'C'",
  );

  await assert.rejects(connect(settingsOf(server), "mule", never), {
    code: "connection_refused",
    hint: /MULE_INTERNAL to UTF-8/,
  });
});
