import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { problemIn } from "../../../support/faulty.ts";
import type { FunctionProcess } from "../../../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../../../support/restore-stage.ts";

/** Loads anywhere, and into a scratch database not where a setting of that says what the server answers. */
const FAILING = String.raw`
  CREATE FUNCTION fails() RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE fault text := current_setting('app.fault', true);
    BEGIN
      IF current_database() LIKE '%\_\_scratch\_%' AND fault <> '' THEN RAISE EXCEPTION '%', fault; END IF;
      RETURN true;
    END $$;
  CREATE TABLE failing (n int CHECK (fails())); INSERT INTO failing VALUES (1)`;

const FAULTS: readonly (readonly [fault: string, noted: string | undefined])[] = [
  ["this row is not as it was", "restore_failed"],
  ['COPY of "phone_extension" found no such number', "restore_failed"],
  ['could not extend file "base/1/2": No space left on device', undefined],
  ['could not extend file "base/1/2": wrote only 4096 of 8192 bytes at block 7', undefined],
  ['could not write to file "base/pgsql_tmp/1": Disk quota exceeded', undefined],
  ['temporary file size exceeds "temp_file_limit" (1024kB)', undefined],
  ["canceling statement due to user request", undefined],
  ["deadlock detected", undefined],
  ["permission denied for function fails", undefined],
  ['role "clerk" does not exist', undefined],
  ['extension "postgis" is not available', undefined],
  ["out of memory", undefined],
];

describe("a rehearsal that failed", () => {
  let stage: RestoreStage;
  let restore: FunctionProcess;
  let path: string;
  before(async () => {
    stage = await setRestoreStage({ prepare: (server, database) => server.query(database, FAILING) });
    restore = await stage.start();
    path = join(stage.path, `${stage.backup.name}.json`);
  });
  after(() => stage[Symbol.asyncDispose]());

  /** What the manifest says after a rehearsal of a backup that was proved before. */
  async function rehearse(given: object = {}) {
    const proved = { level: "compared", at: "2026-01-02T03:04:05.000Z" };
    const manifest = JSON.parse(await readFile(path, "utf8")) as object;
    await writeFile(path, JSON.stringify({ ...manifest, verification: proved }));
    const { code } = await problemIn(restore.post({ filename: "latest", into: "scratch", ...given }));
    assert.equal(code, "restore_failed");
    const { verification } = await stage.manifest();
    return { level: verification.level, failed: verification.failed?.code };
  }

  for (const [fault, noted] of FAULTS)
    it(`says ${noted === undefined ? "nothing of" : "so of"} the backup where the server answers: ${fault}`, async () => {
      await stage.query("postgres", `ALTER DATABASE :db SET app.fault = '${fault}'`);

      const found = await rehearse();

      const level = noted === undefined ? "compared" : "read";
      assert.deepEqual(found, { level, failed: noted });
    });

  it("says nothing of the backup where it was to leave out what is needed", async () => {
    await stage.query("postgres", "ALTER DATABASE :db RESET app.fault");

    const found = await rehearse({ leaveOut: [`TABLE hire owner ${stage.owner}`] });

    assert.deepEqual(found, { level: "compared", failed: undefined });
  });
});
