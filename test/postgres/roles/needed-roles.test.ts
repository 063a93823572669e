import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, afterEach, describe, it } from "node:test";
import type pg from "pg";
import { neededRoles, ROLES_NAMED } from "../../../shared/postgres/roles/needed-roles.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";

/** Roles belong to the whole server, and other tests have theirs there. */
const ROLE = `needed ${randomBytes(4).toString("hex")}`;
const R = `"${ROLE}"`;

/** What makes a database need the role R. */
const NEEDS: readonly (readonly [string, string])[] = [
  ["owns a table", `CREATE TABLE own (a int); ALTER TABLE own OWNER TO ${R}`],
  ["owns a schema", `CREATE SCHEMA own AUTHORIZATION ${R}`],
  ["owns a large object", `SELECT lo_create(77); ALTER LARGE OBJECT 77 OWNER TO ${R}`],
  ["owns a type", `CREATE TYPE own AS ENUM ('a'); ALTER TYPE own OWNER TO ${R}`],
  ["may use a column", `CREATE TABLE t (a int); GRANT SELECT (a) ON t TO ${R}`],
  [
    "may run a function",
    `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION f TO ${R}`,
  ],
  [
    "may use a table of an extension",
    `CREATE EXTENSION pg_stat_statements; GRANT SELECT ON pg_stat_statements TO ${R}`,
  ],
  ["has default privileges", `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${R}`],
  ["gives default privileges", `ALTER DEFAULT PRIVILEGES FOR ROLE ${R} GRANT SELECT ON TABLES TO PUBLIC`],
  ["stands in a policy", `CREATE TABLE t (a int); CREATE POLICY p ON t TO ${R} USING (true)`],
  [
    "has a user mapping",
    `CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR ${R} SERVER far`,
  ],
  ["may connect to the database", `GRANT CONNECT ON DATABASE :db TO ${R}`],
  ["owns the database", `ALTER DATABASE :db OWNER TO ${R}`],
  ["has settings in the database", `ALTER ROLE ${R} IN DATABASE :db SET work_mem = '1MB'`],
];

/** What makes a database need the role that initdb made, which the server notes nowhere. */
const NEEDS_OF_BOOTSTRAP: readonly (readonly [string, string])[] = [
  ["owns a table", "SET ROLE NONE; CREATE TABLE own (a int)"],
  ["owns a function", "SET ROLE NONE; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
  ["may use a table", "CREATE TABLE t (a int); GRANT SELECT ON t TO postgres"],
  ["stands in a policy", "CREATE TABLE t (a int); CREATE POLICY p ON t TO postgres USING (true)"],
  ["has default privileges", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO postgres"],
  ["owns the schema public", "SET ROLE NONE; ALTER SCHEMA public OWNER TO postgres"],
];

describe("what a database needs of the roles of its server", () => {
  let server: TestServer;
  let database: string;
  let client: pg.Client;

  before(async () => {
    server = await sharedServer();
    for (const name of [ROLE, `${ROLE} owner`])
      await server.query("postgres", `CREATE ROLE "${name}" SUPERUSER`);
  });
  after(async () => {
    for (const name of [ROLE, `${ROLE} owner`]) await server.query("postgres", `DROP ROLE "${name}"`);
  });
  beforeEach(async () => {
    database = await server.createDatabase();
    await server.query("postgres", `ALTER DATABASE "${database}" OWNER TO "${ROLE} owner"`);
    client = await server.connect(database);
  });
  afterEach(async () => {
    await client.end();
    await server.dropDatabase(database);
  });

  const named = async () => (await client.query<{ name: string }>(ROLES_NAMED)).rows.map(({ name }) => name);
  const run = (sql: string) =>
    client.query(`SET ROLE "${ROLE} owner"; ${sql.replaceAll(":db", `"${database}"`)}`);

  it("is its owner alone where there is nothing else", async () => {
    await run("CREATE TABLE t (a int)");

    assert.deepEqual(await named(), [`"${ROLE} owner"`]);
  });

  for (const [what, sql] of NEEDS)
    it(`is a role that ${what}`, async () => {
      await run(sql);

      assert.ok((await named()).includes(R), (await named()).join());
      assert.ok((await neededRoles(client)).some(({ name }) => name === ROLE));
    });

  for (const [what, sql] of NEEDS_OF_BOOTSTRAP)
    it(`is the role of initdb where it ${what}`, async (test) => {
      if (server.major < 15 && what === "owns the schema public")
        return test.skip("before 15 it does in each database");
      await run(sql);

      const [postgres] = (await neededRoles(client)).filter(({ name }) => name === "postgres");
      assert.ok((await named()).includes("postgres"));
      assert.ok(postgres?.attributes.includes("SUPERUSER"));
    });

  it("is no role that only ran CREATE EXTENSION, whose owner no dump has", async () => {
    await client.query(`SET ROLE ${R}; CREATE EXTENSION postgres_fdw`);

    assert.deepEqual(await named(), [`"${ROLE} owner"`]);
  });

  it("is what a role is and of whom it is a member, and nothing made of its password", async () => {
    const [group, above] = [`${ROLE} group`, `${ROLE} above`];
    try {
      await server.query(
        "postgres",
        `CREATE ROLE "${above}"; CREATE ROLE "${group}" NOINHERIT IN ROLE "${above}", pg_monitor;
         CREATE ROLE "${ROLE} app" LOGIN CREATEDB PASSWORD 'never told' CONNECTION LIMIT 7 VALID UNTIL '2031-02-03 04:05Z';
         GRANT "${group}" TO "${ROLE} app" WITH ADMIN OPTION;
         ALTER ROLE "${ROLE} app" SET search_path = 'a b', public`,
      );
      await run(`CREATE TABLE t (a int); GRANT SELECT ON t TO "${ROLE} app"`);

      const roles = new Map((await neededRoles(client)).map((role) => [role.name, role]));

      const { memberOf = [], ...app } = roles.get(`${ROLE} app`) ?? {};
      assert.deepEqual(app, {
        name: `${ROLE} app`,
        attributes: ["CREATEDB", "LOGIN"],
        connectionLimit: 7,
        validUntil: "2031-02-03T04:05:00+00:00",
        settings: [{ name: "search_path", value: '"a b", public' }],
      });
      assert.deepEqual(
        memberOf.map(({ role, admin }) => [role, admin]),
        [[group, true]],
      );
      assert.deepEqual(roles.get(group)?.attributes, ["NOINHERIT"]);
      assert.deepEqual(
        roles.get(group)?.memberOf.map(({ role }) => role),
        [above, "pg_monitor"],
      );
      assert.ok(roles.has(above) && !roles.has("pg_monitor"));
      assert.ok(!(await named()).includes(`"${group}"`), "no dump names it");
      assert.doesNotMatch(JSON.stringify([...roles.values()]), /never told|SCRAM|md5/);
    } finally {
      await client.query("RESET ROLE; DROP TABLE t");
      await server.query("postgres", `DROP ROLE "${ROLE} app", "${group}", "${above}"`);
    }
  });
});
