import assert from "node:assert/strict";
import { it } from "node:test";
import type { RestorePlan } from "../../../functions/restore/plan/restore-plan.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { startPostgres } from "../../support/postgres.ts";
import { temporaryFolder } from "../../support/volume.ts";

it("a role that is other bytes in the maintenance database is missing until it is those of the database", async () => {
  // Roles are the whole server's.
  await using server = await startPostgres();
  const options = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
  await server.query("postgres", `CREATE DATABASE latin ${options}`);
  const make = 'CREATE ROLE "größe" NOLOGIN';
  await server.query("latin", `${make}; CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t OWNER TO "größe"`);
  await using volume = await temporaryFolder();
  await using backup = await startFunction("backup", backupEnvironment(server, "latin", volume.path));
  await manifestOf(await backup.post());
  await server.query("latin", 'DROP TABLE t; DROP ROLE "größe"');
  await using restore = await startFunction("restore", restoreEnvironment(server, "latin", volume.path));
  const ask = (body: object) => restore.post({ filename: "latest", strategy: "in-place", ...body });
  const blockers = async () => {
    const plan = (await (await ask({ dryRun: true, createRoles: true })).json()) as RestorePlan;
    return plan.blockers.map(({ kind, names, remedy }) => [kind, names, remedy.endsWith(`: ${make}`)]);
  };

  const before = await blockers();
  await server.query("postgres", make);
  const asOtherBytes = await blockers();
  await server.query("latin", make);
  const asTheseBytes = await blockers();
  const answer = await ask({});

  const missing = [["roles-missing", ["größe"], true]];
  assert.deepEqual([before, asOtherBytes, asTheseBytes], [missing, missing, []]);
  assert.equal(answer.status, 200, await answer.text());
  const { rows } = await server.query(
    "latin",
    "SELECT tableowner AS owner FROM pg_tables WHERE tablename = 't'",
  );
  assert.deepEqual(rows, [{ owner: "größe" }]);
});
