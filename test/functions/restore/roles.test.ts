import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { backupEnvironment, manifestOf, startFunction } from "../../support/function-process.ts";
import type { RestorePlan } from "../../../functions/restore/plan/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

/** Roles belong to the whole server, and other tests have theirs there. */
const OWN = `dormouse_${randomBytes(4).toString("hex")}`;
const BACKUP = { POSTGRESQL_USER: `${OWN}_backup`, POSTGRESQL_PASSWORD: "change-me" };
const RESTORE = { POSTGRESQL_USER: `${OWN}_restore`, POSTGRESQL_PASSWORD: "change-me-too" };

describe("the roles that docs/roles.md makes", () => {
  let stage: RestoreStage;
  before(async () => {
    stage = await setRestoreStage({
      // The page says what these need besides.
      prepare: async (server, database) => {
        await server.query(database, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
        if (server.major < 15) await server.query(database, "ALTER SCHEMA public OWNER TO postgres");
      },
    });
    await stage.query("postgres", await statements(stage));
  });
  after(async () => {
    for (const { POSTGRESQL_USER: role } of [BACKUP, RESTORE]) {
      for (const database of ["postgres", stage.database])
        await stage.query(database, `DROP OWNED BY ${role}`);
      await stage.query("postgres", `DROP ROLE ${role}`);
    }
    await stage[Symbol.asyncDispose]();
  });

  /** Before 15 it is a superuser's, and the plan says what to do. */
  const takeOverPublic = async (ask: (request: object) => Promise<unknown>) => {
    const { blockers } = (await ask({ strategy: "in-place", dryRun: true })) as Pick<RestorePlan, "blockers">;
    const said = blockers.map(({ kind, remedy }) => `${kind}: ${remedy}`).join();
    const sql = /^content-of-others: in \S+: (ALTER SCHEMA public OWNER TO [^;]+);/.exec(said)?.[1] ?? said;
    await stage.query(stage.database, sql);
  };
  const ownerOfPublic = async () =>
    (
      await stage.query(
        stage.database,
        "SELECT nspowner::regrole AS owner FROM pg_namespace WHERE nspname = 'public'",
      )
    ).rows;

  const backUp = async () => {
    const environment = backupEnvironment(stage.server, stage.database, stage.path);
    await using backup = await startFunction("backup", { ...environment, ...BACKUP, AUTH: "none" });
    return await manifestOf(await backup.post({ label: "by the smallest role" }));
  };

  it("take a whole backup, and may not write a row", async (test) => {
    const { content, verification } = await backUp();

    assert.equal(verification.level, "read");
    assert.equal(content.rows, stage.backup.content.rows);
    if (stage.server.major < 14) return test.diagnostic("it is a member of the owner, as the page says");
    const writes = stage.query(
      stage.database,
      `SET ROLE ${BACKUP.POSTGRESQL_USER}; DELETE FROM hire.equipment`,
    );
    await assert.rejects(writes, /permission denied for table equipment/);
  });

  it("plan, rehearse, restore, undo and restore in place, and all is the owner's as before", async () => {
    const { name } = await backUp();
    const propertiesBefore = await stage.properties(stage.database);
    const restore = await stage.start(RESTORE);
    const ask = (request: object) => stage.readResult(restore.post({ filename: name, ...request }));

    const plan = (await ask({ dryRun: true })) as unknown as { readonly blockers: readonly unknown[] };
    const rehearsed = await ask({ into: "scratch" });
    await stage.destroyData();
    const swapped = await ask({});
    const afterSwap = await stage.fingerprint();
    await stage.readResult(restore.post({ undo: swapped.run }));
    if (stage.server.major < 15) await takeOverPublic(ask);
    const publicBefore = await ownerOfPublic();
    await ask({ strategy: "in-place" });

    assert.deepEqual(plan.blockers, []);
    assert.ok(rehearsed.compared !== undefined);
    assert.deepEqual(afterSwap, stage.original);
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.deepEqual(await stage.properties(stage.database), propertiesBefore);
    assert.deepEqual(await ownerOfPublic(), publicBefore);
  });
});

/** For the database and the owner of the test instead of `hets`. */
async function statements({ server, database, owner }: RestoreStage): Promise<string> {
  const page = await readFile(new URL("../../../docs/roles.md", import.meta.url), "utf8");
  const [, sql = ""] = /```sql\n(.*?)```/s.exec(page) ?? [];
  const [, instead = ""] = /\| PostgreSQL 13 +\| `([^`]+)`/.exec(page) ?? [];
  return (server.major < 14 ? sql.replace(/GRANT pg_read_all_data.*(?=;)/, instead) : sql)
    .replaceAll("dormouse_", `${OWN}_`)
    .replaceAll("DATABASE hets", `DATABASE "${database}"`)
    .replaceAll("GRANT hets", `GRANT ${owner}`);
}
