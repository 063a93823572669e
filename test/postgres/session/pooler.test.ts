import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Report } from "../../../shared/doctor/finding.ts";
import { connect } from "../../../shared/postgres/session/connection.ts";
import { refusePooler } from "../../../shared/postgres/session/pooler.ts";
import { lackOfProgram } from "../../support/debian.ts";
import {
  backupEnvironment,
  manifestOf,
  restoreEnvironment,
  startFunction,
} from "../../support/function-process.ts";
import { PGBOUNCER, startPgBouncer, type PoolMode } from "../../support/pgbouncer.ts";
import { settingsOf } from "../../support/postgres-adapter.ts";
import { sharedServer, type ServerAddress, type TestServer } from "../../support/postgres.ts";
import { readContent, temporaryFolder, type Removed } from "../../support/volume.ts";

const never = new AbortController().signal;
const IGNORING = ["ignore_startup_parameters = options,extra_float_digits"];

type Problem = { readonly code: string; readonly detail: string; readonly hint: string };

describe("a connection pooler before the server", async () => {
  const skip = (await lackOfProgram("pgbouncer", PGBOUNCER)) ?? false;
  let server: TestServer;
  let database: string;
  let folder: Removed;
  let content: Record<string, string>;

  before(async () => {
    server = await sharedServer();
    database = await server.createDatabase();
    folder = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(server, database, folder.path));
    await manifestOf(await backup.post());
    content = await readContent(folder.path);
  });
  after(async () => {
    await server.dropDatabase(database);
    await folder[Symbol.asyncDispose]();
  });

  const poolers: readonly (readonly [what: string, mode: PoolMode, settings: readonly string[]])[] = [
    ["that refuses the settings of a session", "transaction", []],
    ["that ignores them and lends sessions for a transaction", "transaction", IGNORING],
    ["that ignores them and lends sessions as a whole", "session", IGNORING],
  ];
  for (const [what, mode, settings] of poolers) {
    it(`is refused by name, ${what}`, { skip }, async () => {
      await using pooler = await startPgBouncer(server, mode, settings);

      const problems = await askAll(pooler.address, database, folder.path);

      for (const { code, detail, hint } of problems) {
        assert.equal(code, "pooler_refused", detail);
        assert.match(detail, /pooler|unsupported startup parameter/);
        assert.match(hint, /DATABASE_SERVICE_NAME and PGPORT/);
      }
      assert.deepEqual(await readContent(folder.path), content);
    });
  }

  it("is not seen where there is none", async () => {
    const client = await connect(settingsOf(server), "postgres", never);
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");

    assert.equal(await refusePooler(client), rows[0]?.pid);
    await client.end();
  });

  it("is seen by settings that were asked for and are not in force", async () => {
    const client = await connect(settingsOf(server), "postgres", never);
    await client.query("RESET row_security; SET row_security = on");

    await assert.rejects(refusePooler(client), { code: "pooler_refused", message: /are not in force/ });
    await client.end();
  });
});

/** What a backup, the plan of a restore and the doctor answer, all of them through the pooler. */
async function askAll(address: ServerAddress, database: string, path: string): Promise<readonly Problem[]> {
  await using backup = await startFunction("backup", backupEnvironment(address, database, path));
  await using restore = await startFunction("restore", restoreEnvironment(address, database, path));
  const { findings } = (await (await backup.get("/doctor")).json()) as Report;
  const { detail = "", fix = "" } = findings.find(({ check }) => check === "database") ?? {};
  const answers = [backup.post(), restore.post({ filename: "latest", dryRun: true })];
  const problems = await Promise.all(answers.map(async (answer) => (await (await answer).json()) as Problem));
  return [...problems, { code: "pooler_refused", detail, hint: fix }];
}
