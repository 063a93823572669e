import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { execa } from "execa";
import type { BackupManifest } from "../../../shared/catalog/manifest.ts";
import type { RestoreResult } from "../../../functions/restore/journal/restore-result.ts";
import { preload } from "../../support/faulty.ts";
import { endedRestore } from "../../support/restore-cluster.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { databaseOfManyRoles, PASSWORD, type ManyRoles } from "../../support/many-roles.ts";
import { sharedServer, startPostgres, type OwnServer, type TestServer } from "../../support/postgres.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

describe("a new server on which nothing is", () => {
  let server: TestServer;
  let empty: OwnServer;
  let many: ManyRoles;
  let volume: Removed;
  let manifest: BackupManifest;
  let original: unknown;

  before(async () => {
    server = await sharedServer();
    empty = await startPostgres();
    many = await databaseOfManyRoles(server);
    volume = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(server, many.database, volume.path));
    manifest = await manifestOf(await backup.post());
    original = await many.lookAt(server, many.database);
  });

  after(async () => {
    await many[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
    await empty[Symbol.asyncDispose]();
  });

  async function take(): Promise<BackupManifest> {
    const environment = backupEnvironment(server, many.database, volume.path);
    await using backup = await startFunction("backup", environment);
    return await manifestOf(await backup.post());
  }

  it("has all by the one command of the manifest, and once more where the roles are", async () => {
    const { host, port, user, password, binDir } = empty;
    const login = { PGHOST: host, PGPORT: `${port}`, PGUSER: user, PGPASSWORD: password };
    const env = { PATH: `${binDir}:${process.env["PATH"]}`, ...login };
    const byHand = () => execa("sh", ["-c", manifest.restoreByHand], { cwd: volume.path, env });

    await byHand();

    const restored = `${many.database}_restored`;
    assert.deepEqual(await many.lookAt(empty, restored), original);
    const text = await readFile(join(volume.path, `${manifest.name}.json`), "utf8");
    assert.ok(!text.includes(PASSWORD) && !/SCRAM-SHA|md5[0-9a-f]{32}/.test(text));

    // A role that is there stays as it is, whatever the manifest says of it.
    await empty.query("postgres", `ALTER ROLE "${many.owner}" NOCREATEDB LOGIN`);
    await empty.dropDatabase(restored);
    await byHand();
    const { rows } = await empty.query(
      "postgres",
      "SELECT rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = $1",
      [many.owner],
    );
    assert.deepEqual(rows, [{ rolcreatedb: false, rolcanlogin: true }]);
  });

  /** As docs/roles.md makes it, and no superuser: CREATEROLE is all that it has besides. */
  const dormouse = { POSTGRESQL_USER: "dormouse", POSTGRESQL_PASSWORD: "change-me" };
  const start = (as: Readonly<Record<string, string>> = {}) =>
    startFunction("restore", { ...restoreEnvironment(empty, many.database, volume.path), ...as });
  const clear = async () => {
    for (const name of [many.database, `${many.database}_restored`]) await empty.dropDatabase(name);
    const { rows } = await empty.query(
      "postgres",
      "SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname = ANY ($1)",
      [many.roles],
    );
    for (const { name } of rows as { name: string }[]) await empty.query("postgres", `DROP ROLE ${name}`);
    // From 16 on who gave a membership stays as long as that does.
    await empty.query("postgres", "DROP ROLE IF EXISTS dormouse");
    await empty.query("postgres", "CREATE ROLE dormouse LOGIN CREATEDB CREATEROLE PASSWORD 'change-me'");
  };
  const rolesThere = async () => {
    const sql =
      "SELECT rolname AS name, shobj_description(oid, 'pg_authid') AS mark FROM pg_roles WHERE rolname = ANY ($1) ORDER BY 1";
    return (await empty.query("postgres", sql, [many.roles])).rows as { name: string; mark: string | null }[];
  };
  const databasesThere = async () => {
    const { rows } = await empty.query(
      "postgres",
      "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
      [many.database],
    );
    return rows;
  };
  const ask = { filename: "latest", createRoles: true };

  it("has all by createRoles from the volume alone, by a superuser and by a role that is none", async () => {
    for (const as of [{}, dormouse]) {
      await clear();
      await using restore = await start(as);
      const blocked = await askPlan(restore, { ...ask, createRoles: false });
      const plan = await askPlan(restore, { ...ask });

      const answer = await restore.post(ask);
      const text = await answer.text();

      assert.deepEqual(
        blocked.blockers.map(({ kind }) => kind),
        ["roles-missing"],
      );
      assert.ok(blocked.blockers[0]?.remedy.includes(`CREATE ROLE "${many.owner}" NOLOGIN CREATEDB;`));
      assert.deepEqual(plan.blockers, []);
      assert.deepEqual(plan.missingRoles.map(({ name }) => name).toSorted(), [...many.roles].toSorted());
      assert.equal(answer.status, 200, text);
      assert.deepEqual((JSON.parse(text) as RestoreResult).rolesMade?.toSorted(), [...many.roles].toSorted());
      const { roles, ...found } = (await many.lookAt(empty, many.database)) as Seen;
      const { roles: rolesBefore, ...before } = original as Seen;
      assert.deepEqual(found, before);
      if (as === dormouse)
        assert.ok(
          plan.warnings.some((text) => text.includes("setting app.motto")),
          plan.warnings.join(),
        );
      else assert.deepEqual(roles, rolesBefore);
      assert.ok((await rolesThere()).every(({ mark }) => mark === null));
    }
  });

  it("rehearses by createRoles, and has neither the roles nor the database afterwards", async () => {
    await clear();
    await using restore = await start(dormouse);

    const answer = await restore.post({ ...ask, into: "scratch" });

    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(await rolesThere(), []);
    assert.deepEqual(await databasesThere(), []);
  });

  it("is left as it was by a restore that fails behind the roles, and a role that is there is never altered", async () => {
    await clear();
    await empty.query("postgres", `CREATE ROLE "${many.owner}" CONNECTION LIMIT 3`);
    await empty.query("postgres", `GRANT "${many.owner}" TO dormouse`);
    const port = `current_setting('port') = '${server.port}'`;
    await server.query(
      many.database,
      `SET ROLE "${many.owner}"; CREATE TABLE hire.here (a int CHECK (${port})); INSERT INTO hire.here VALUES (1)`,
    );
    const { name } = await take();
    await using restore = await start(dormouse);

    const answer = await restore.post({ ...ask, filename: name });

    assert.match(await answer.text(), /restore_failed/);
    assert.deepEqual(await rolesThere(), [{ name: many.owner, mark: null }]);
    assert.deepEqual(await databasesThere(), []);
    const sql = "SELECT rolconnlimit AS limit, rolcreatedb AS creates FROM pg_roles WHERE rolname = $1";
    const { rows } = await empty.query("postgres", sql, [many.owner]);
    assert.deepEqual(rows, [{ limit: 3, creates: false }]);
  });

  /** The live database is there, empty and the role's own, which may make no other. */
  const inPlace = { ...ask, strategy: "in-place", fromElsewhere: true } as const;
  const clearForInPlace = async () => {
    await clear();
    await empty.query("postgres", "ALTER ROLE dormouse NOCREATEDB");
    await empty.query("postgres", `CREATE DATABASE "${many.database}" OWNER dormouse`);
    if (empty.major < 15) await empty.query(many.database, "ALTER SCHEMA public OWNER TO dormouse");
  };

  const POINTS = [
    ["before step roles_created", {}, "failed"],
    ["after step roles_created", {}, "failed"],
    ["before step verified", {}, "succeeded"],
    ["before phase ended", {}, "succeeded"],
    ["before succeeded", {}, "succeeded"],
    ["before phase ended", { into: "scratch" }, "succeeded"],
    ["before step rehearsed", { into: "scratch" }, "succeeded"],
    ["before step roles_created", inPlace, "failed"],
    ["after step roles_created", inPlace, "failed"],
    ["before phase swapping", inPlace, "succeeded"],
    ["before phase ended", inPlace, "succeeded"],
  ] as const;
  for (const [point, how, state] of POINTS)
    it(`has all its roles or none once a restore was killed ${point} ${JSON.stringify(how)}`, async () => {
      const isInPlace = how === inPlace;
      await (isInPlace ? clearForInPlace() : clear());
      await rm(join(volume.path, ".dormouse", "runs"), { recursive: true });
      const dying = { ...preload("records-preload.ts"), DORMOUSE_TEST_RECORD: `kill ${point}` };
      const killed = await start({ ...dormouse, ...dying });
      const asked = killed.post({ ...ask, ...how, filename: manifest.name }).catch(() => undefined);
      const end = await Promise.race([killed.ended, asked.then((answer) => answer?.text())]);
      await killed.end("SIGKILL");
      assert.equal(end ?? (await killed.ended), "SIGKILL");

      await using _next = await start(dormouse);
      const ended = await endedRestore(volume.path);

      assert.equal(ended.state, state, JSON.stringify(ended.problem));
      const stays = state === "succeeded" && !("into" in how);
      assert.deepEqual(
        await rolesThere(),
        stays ? [...many.roles].toSorted().map((name) => ({ name, mark: null })) : [],
      );
      assert.deepEqual(await databasesThere(), stays || isInPlace ? [{ datname: many.database }] : []);
    });

  it("has all by createRoles in place, by a role that may make no database", async () => {
    await clearForInPlace();
    await using restore = await start(dormouse);

    const answer = await restore.post({ ...inPlace, filename: manifest.name });

    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    assert.deepEqual((JSON.parse(text) as RestoreResult).rolesMade?.toSorted(), [...many.roles].toSorted());
    const { values } = (await many.lookAt(empty, many.database)) as Seen;
    assert.deepEqual(values, (original as Seen).values);
    assert.ok((await rolesThere()).every(({ mark }) => mark === null));
  });
});

type Seen = { readonly values: unknown; readonly schema: unknown; readonly roles: unknown };
