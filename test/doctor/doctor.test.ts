import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { preload } from "../support/faulty.ts";
import { states, toReport } from "../support/doctor-report.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { sharedServer } from "../support/postgres.ts";
import { askPlan } from "../support/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { temporaryFolder } from "../support/volume.ts";

describe("GET /doctor of the backup function", () => {
  it("finds nothing at fault where a backup would succeed, and says that no sink is set", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction(
      "backup",
      backupEnvironment(await sharedServer(), "postgres", volume.path),
    );

    const { healthy, findings } = await toReport(backup);

    assert.equal(healthy, true, JSON.stringify(findings));
    assert.deepEqual(states(findings), {
      volume: "good",
      database: "good",
      callers: "warning",
      sink: "warning",
    });
  });

  it("leaves nothing on the volume", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction(
      "backup",
      backupEnvironment(await sharedServer(), "postgres", volume.path),
    );

    await toReport(backup);

    const { foreign, backups } = (await (await backup.get("/")).json()) as Record<string, unknown[]>;
    assert.deepEqual([foreign, backups], [[], []]);
  });

  it("removes what one that was killed has left, an hour later", async () => {
    await using volume = await temporaryFolder();
    const left = join(volume.path, ".tmp-doctor-0123abcd");
    await mkdir(left);
    await writeFile(join(left, "done"), "x");
    const environment = backupEnvironment(await sharedServer(), "postgres", volume.path);
    await using now = await startFunction("backup", environment);
    await toReport(now);
    assert.deepEqual(await readdir(left), ["done"]);

    const later = { ...preload("clock-preload.ts"), DORMOUSE_TEST_CLOCK_OFFSET_MS: `${2 * 3_600_000}` };
    await using next = await startFunction("backup", { ...environment, ...later });
    await toReport(next);

    assert.deepEqual(
      (await readdir(volume.path)).filter((name) => name.startsWith(".tmp-")),
      [],
    );
  });

  it("says of each fault what to change", async () => {
    await using volume = await temporaryFolder();
    const environment = backupEnvironment(await sharedServer(), "no_such_database", volume.path);
    await using backup = await startFunction("backup", { ...environment, K_SINK: "http://127.0.0.1:9/" });

    const { healthy, findings } = await toReport(backup);

    assert.equal(healthy, false);
    assert.deepEqual(states(findings), {
      volume: "good",
      database: "fault",
      callers: "warning",
      sink: "fault",
    });
    for (const { state, fix, detail } of findings) if (state === "fault") assert.ok(fix, detail);
  });
});

describe("GET /doctor where a role may not read all", () => {
  it("finds what ALLOW_INCOMPLETE leaves out no fault, and says else by which grant it is none", async () => {
    const server = await sharedServer();
    await using volume = await temporaryFolder();
    const database = await server.createDatabase();
    await server.query(
      database,
      `CREATE ROLE "the doctor's" LOGIN PASSWORD 'x'; CREATE SCHEMA "Closed"; CREATE TABLE "Closed".shut (a int)`,
    );
    const reader = { POSTGRESQL_USER: "the doctor's", POSTGRESQL_PASSWORD: "x" };
    const environment = { ...backupEnvironment(server, database, volume.path), ...reader };
    try {
      await using strict = await startFunction("backup", environment);
      await using lax = await startFunction("backup", {
        ...environment,
        ALLOW_INCOMPLETE: "unreadable-tables",
      });
      const ofDatabase = async (backup: FunctionProcess) => {
        const { healthy, findings } = await toReport(backup);
        return {
          healthy,
          found: findings.find(({ detail }) => detail.startsWith("the role cannot dump")),
        };
      };

      const refused = await ofDatabase(strict);
      const problem = (await (await strict.post()).json()) as {
        readonly code: string;
        readonly hint: string;
      };
      const accepted = await ofDatabase(lax);
      const grant = /^GRANT [^;]+; GRANT [^;]+(?=; or)/.exec(problem.hint)?.[0] ?? "";
      await server.query(database, grant);
      const given = await ofDatabase(strict);

      assert.deepEqual([refused.healthy, refused.found?.state], [false, "fault"]);
      assert.deepEqual([accepted.healthy, accepted.found?.state], [true, "warning"]);
      assert.equal(problem.code, "backup_incomplete");
      assert.equal(refused.found?.fix, problem.hint);
      assert.deepEqual([given.healthy, given.found], [true, undefined]);
    } finally {
      await server.dropDatabase(database);
      await server.query("postgres", `DROP ROLE "the doctor's"`);
    }
  });
});

describe("GET /doctor of the restore function", () => {
  let stage: RestoreStage;
  before(async () => {
    stage = await setRestoreStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  it("finds nothing in the way of a restore where there is nothing", async () => {
    const { healthy, findings } = await toReport(await stage.start());

    assert.equal(healthy, true, JSON.stringify(findings));
    const said = findings.filter(({ check }) => check === "restore").map(({ state, fix }) => [state, fix]);
    assert.equal(said.length, 2);
    assert.deepEqual(said[0], ["good", undefined]);
    assert.match(String(said[1]), /^warning,use a role with CREATEDB .* docs\/roles\.md/);
  });

  it("says what the role may not give to the database that is to take the live one's place", async () => {
    await stage.query("postgres", `ALTER ROLE ${stage.owner} CREATEDB`);
    await stage.query("postgres", "ALTER DATABASE :db SET log_statement = 'all'");

    const { healthy, findings } = await toReport(await stage.startAsOwner());

    await stage.query("postgres", "ALTER DATABASE :db RESET log_statement");
    await stage.query("postgres", `ALTER ROLE ${stage.owner} NOCREATEDB`);
    assert.deepEqual(
      findings.filter(({ check }) => check === "restore").map(({ state, detail }) => [state, detail]),
      [["fault", "settings of the database that this role may not give to another: log_statement"]],
    );
    assert.equal(healthy, false);
  });

  for (const half of ["may act for the owner and not become it", "may become the owner and not act for it"])
    it(`finds what the plan finds for a role that ${half}`, async () => {
      const other = `${stage.owner}_other`;
      const options = half.startsWith("may act") ? "INHERIT TRUE, SET FALSE" : "INHERIT FALSE, SET TRUE";
      const isOlder = stage.server.major < 16;
      await stage.query("postgres", `CREATE ROLE ${other}; ALTER ROLE ${stage.owner} CREATEDB`);
      await stage.query("postgres", `GRANT ${other} TO ${stage.owner}${isOlder ? "" : ` WITH ${options}`}`);
      if (isOlder) await stage.query("postgres", `ALTER ROLE ${stage.owner} NOINHERIT`);
      await stage.query("postgres", `ALTER DATABASE :db OWNER TO ${other}`);
      try {
        const restore = await stage.startAsOwner();
        const { findings } = await toReport(restore);
        const { blockers } = await askPlan(restore, { filename: "latest" });

        const said = findings.filter(({ check }) => check === "restore").map(({ detail }) => detail);
        const ofOwner = `the owner of the database, which this role may not make one for: ${other}`;
        assert.ok(said.includes(ofOwner), JSON.stringify(said));
        const planned = new Set(blockers.map(({ detail }) => detail));
        assert.deepEqual(
          said.filter((detail) => !planned.has(detail)),
          [],
        );
      } finally {
        await stage.query(
          "postgres",
          `ALTER DATABASE :db OWNER TO ${stage.owner}; ALTER ROLE ${stage.owner} INHERIT NOCREATEDB; DROP ROLE ${other}`,
        );
      }
    });

  it("says that the role may not create databases, and that it does not own the live one", async () => {
    const owner = await toReport(await stage.startAsOwner());
    await stage.query("postgres", "ALTER DATABASE :db OWNER TO postgres");
    const stranger = await toReport(await stage.startAsOwner());

    const said = [owner, stranger].map(({ findings }) =>
      findings.filter(({ check }) => check === "restore").map(({ detail }) => detail),
    );
    assert.deepEqual(said, [
      ["the role may not create or rename databases"],
      [
        "the role may not create or rename databases",
        "the role does not own the live database",
        "the owner of the database, which this role may not make one for: postgres",
      ],
    ]);
    assert.deepEqual([owner.healthy, stranger.healthy], [false, false]);
  });
});
