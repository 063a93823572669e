import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { CatalogListing } from "../../../shared/catalog/catalog.ts";
import { containerTree } from "../../support/container-tree.ts";
import { cullEnvironment } from "../../support/culled.ts";
import { problemIn } from "../../support/faulty.ts";
import { restoreEnvironment, startFunction } from "../../support/function-process.ts";
import { sharedServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

/** Roles belong to the whole server, and other tests have theirs there. */
const OWN = `dormouse_${randomBytes(4).toString("hex")}`;
const [OWNER, READER, OTHER] = [`${OWN}_owner`, `${OWN}_reader`, `${OWN}_other`];

describe("the roles behind a dump of backup-container", () => {
  let server: TestServer;
  let database: string;
  let volume: Removed;
  let filename: string;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    volume = await temporaryFolder();
    const tree = containerTree(server, volume.path);
    filename = tree.name(`postgresql-${database}`, "daily/2024-03-05");
    await server.query(
      database,
      `CREATE ROLE ${OWNER} SUPERUSER LOGIN PASSWORD 'change-me'; CREATE ROLE ${READER}; CREATE ROLE ${OTHER} LOGIN;
       CREATE TABLE t AS SELECT generate_series(1, 100) AS a; ALTER TABLE t OWNER TO ${OWNER}; GRANT SELECT ON t TO ${READER}`,
    );
    await tree.dump(database, filename, "members");
    assert.match(await tree.text(filename), new RegExp(`^CREATE ROLE ${OTHER};$`, "m"));
    await server.query(database, "DROP TABLE t");
    await server.query("postgres", `DROP ROLE ${OWNER}; DROP ROLE ${OTHER}`);
    await server.query("postgres", `ALTER ROLE ${READER} CONNECTION LIMIT 7`);
  });
  after(async () => {
    for (const { datname } of await databases()) await server.dropDatabase(datname);
    await server.query("postgres", `DROP ROLE IF EXISTS ${OWNER}; DROP ROLE ${READER}`);
    await volume[Symbol.asyncDispose]();
  });

  const startRestore = () => startFunction("restore", restoreEnvironment(server, database, volume.path));

  /** Of those of this test, as the server has them. */
  async function roles(): Promise<unknown> {
    const sql = `SELECT rolname AS name, rolcanlogin AS login, rolsuper AS super, rolpassword AS password, rolconnlimit AS "limit"
      FROM pg_authid WHERE starts_with(rolname, $1) ORDER BY rolname`;
    return (await server.query("postgres", sql, [OWN])).rows;
  }
  const reader = { name: READER, login: false, super: false, password: null, limit: 7 };

  it("are not made unless a caller says so, and the role that is missing is named", async () => {
    await using restore = await startRestore();

    const problem = await problemIn(restore.post({ filename }));

    assert.equal(problem.code, "restore_blocked");
    assert.match(problem.detail, new RegExp(OWNER));
    assert.match(problem.hint ?? "", new RegExp(`CREATE ROLE "${OWNER}" NOLOGIN`));
    assert.deepEqual(await roles(), [reader]);
  });

  it("are made where they are missing and the dump names them: without a login, a password or a right", async () => {
    await using restore = await startRestore();

    const answer = await restore.post({ filename, createRoles: true });

    assert.equal(answer.status, 200, JSON.stringify(await answer.json()));
    const owner = { name: OWNER, login: false, super: false, password: null, limit: -1 };
    assert.deepEqual(await roles(), [owner, reader]);
    const { rows } = await server.query(
      database,
      "SELECT count(*)::int AS count, (SELECT tableowner FROM pg_tables WHERE tablename = 't') AS owner FROM t",
    );
    assert.deepEqual(rows, [{ count: 100, owner: OWNER }]);
  });

  it("are named by the plan once the file is adopted, and left out by hand", async () => {
    const environment = { PATH: `${server.binDir}:/usr/bin:/bin`, POSTGRESQL_DATABASE: database };
    await using cull = await startFunction("cull", cullEnvironment(volume.path, environment));
    await cull.post({});
    await using restore = await startRestore();
    const { backups } = (await (await restore.get("/")).json()) as CatalogListing;
    const manifest = backups.find(({ name }) => name === filename)?.manifest;
    assert.match(manifest?.warnings.join("\n") ?? "", /roles of the server follow the dump/);
    const { host, port, user, password, binDir } = server;

    await execa("sh", ["-ec", manifest?.restoreByHand ?? ""], {
      cwd: volume.path,
      env: {
        PGHOST: host,
        PGPORT: `${port}`,
        PGUSER: user,
        PGPASSWORD: password,
        PATH: `${binDir}:/usr/bin:/bin`,
      },
    });

    const { rows } = await server.query(
      `${database.slice(0, 40)}_restored`,
      "SELECT count(*)::int AS count FROM t",
    );
    assert.deepEqual(rows, [{ count: 100 }]);
    for (const { datname } of await databases()) await server.dropDatabase(datname);
    await server.query("postgres", `DROP ROLE ${OWNER}`);
    const plan = await askPlan(restore, { filename });
    assert.deepEqual(
      plan.missingRoles.map(({ name, sql }) => [name, sql]),
      [[OWNER, [`CREATE ROLE "${OWNER}" NOLOGIN`]]],
    );
  });

  async function databases() {
    const sql = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
    return (await server.query("postgres", sql, [database])).rows as { datname: string }[];
  }
});
