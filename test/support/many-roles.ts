import { randomBytes } from "node:crypto";
import { execa } from "execa";
import pg from "pg";
import type { TestServer } from "./postgres.ts";
import { createSample, fingerprintOf } from "./sample-database.ts";

/** A database of several owners, with every kind of grant, whose roles are members of each other. */
export type ManyRoles = {
  readonly database: string;
  /** Those that a server must have, or make. */
  readonly roles: readonly string[];
  readonly owner: string;
  /** All that a restore must bring back: values, owners, grants, policies and what the roles are but for their passwords. */
  lookAt(server: TestServer, database: string): Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
};

export const PASSWORD = "a password that no manifest has";

export async function databaseOfManyRoles(server: TestServer): Promise<ManyRoles> {
  const own = `many_${randomBytes(4).toString("hex")}`;
  const [owner, app, writers, all, reader, Reader] = [
    "owner",
    "app",
    "writers",
    "all",
    `"x's" reader`,
    "READER",
  ].map((name) => `${own} ${name}`) as [string, string, string, string, string, string];
  const roles = [owner, app, writers, all, reader, Reader];
  const [o, a, w, l, r, R] = roles.map(pg.escapeIdentifier) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const database = await server.createDatabase();
  await server.query(
    "postgres",
    `CREATE ROLE ${l} NOINHERIT; CREATE ROLE ${w} IN ROLE ${l}, pg_monitor; CREATE ROLE ${o} CREATEDB;
     CREATE ROLE ${a} LOGIN PASSWORD '${PASSWORD}' CONNECTION LIMIT 20 VALID UNTIL '2031-02-03 04:05Z';
     GRANT ${w} TO ${a} WITH ADMIN OPTION; CREATE ROLE ${r}; CREATE ROLE ${R};
     ALTER ROLE ${a} SET search_path = 'a b', hire; ALTER ROLE ${a} SET app.motto = 'it''s $roles$';
     ALTER ROLE ${r} IN DATABASE ${database} SET work_mem = '9MB'; ALTER DATABASE ${database} OWNER TO ${o};
     REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC; GRANT CONNECT ON DATABASE ${database} TO ${a}, ${r}`,
  );
  const client = await server.connect(database);
  await client.query(`SET ROLE ${o}`);
  await createSample(client);
  await client.query(
    `GRANT USAGE ON SCHEMA hire TO ${w}, ${r}; GRANT SELECT, INSERT ON hire.equipment TO ${w} WITH GRANT OPTION;
     GRANT SELECT (name) ON hire.owner TO ${r}; ALTER TABLE hire.equipment ENABLE ROW LEVEL SECURITY;
     CREATE POLICY own_rows ON hire.equipment TO ${R} USING (seniority > 1);
     ALTER DEFAULT PRIVILEGES IN SCHEMA hire GRANT SELECT ON TABLES TO ${r}; RESET ROLE;
     ALTER LARGE OBJECT 20001 OWNER TO ${a}; GRANT CREATE ON SCHEMA "Odd Names" TO ${a}`,
  );
  await client.end();
  return {
    database,
    roles,
    owner,
    lookAt: async (where, name) => ({
      values: await fingerprintOf(where, name),
      schema: await schemaOf(where, name),
      roles: (await where.query("postgres", ROLES, [roles])).rows,
    }),
    async [Symbol.asyncDispose]() {
      const { rows } = await server.query(
        "postgres",
        "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
        [database],
      );
      for (const { datname } of rows as { datname: string }[]) await server.dropDatabase(datname);
      for (const role of [o, a, w, l, r, R]) await server.query("postgres", `DROP ROLE IF EXISTS ${role}`);
    },
  };
}

const ROLES = `
  SELECT to_jsonb(r) - 'oid' - 'rolcanlogin' - 'rolconfig' AS row, (SELECT array_agg(item ORDER BY item) FROM unnest(rolconfig) item) AS settings,
    ARRAY(SELECT format('%s %s', roleid::regrole, admin_option) FROM pg_auth_members WHERE member = r.oid ORDER BY 1) AS memberships
  FROM pg_roles r WHERE rolname = ANY ($1) ORDER BY rolname`;

/** Without what each pg_dump and each server says anew. */
async function schemaOf(
  { binDir, host, port, user, password }: TestServer,
  database: string,
): Promise<string> {
  const { stdout } = await execa(
    `${binDir}/pg_dump`,
    ["--schema-only", "--create", `--dbname=dbname='${database}'`],
    {
      env: { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password },
    },
  );
  return stdout.replaceAll(/^\\(?:un)?restrict .*$/gm, "").replaceAll(database, "DATABASE");
}
