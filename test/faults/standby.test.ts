import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { Report } from "../../shared/doctor/finding.ts";
import { backupEnvironment, restoreEnvironment, startFunction } from "../support/function-process.ts";
import { startPostgres, startStandby, type OwnServer } from "../support/postgres.ts";
import { readContent, temporaryFolder } from "../support/volume.ts";

const skip =
  process.env["DORMOUSE_TEST_PG_ROOT"] === undefined ? false : "root folders have no pg_basebackup to call";

type Problem = { readonly code: string; readonly detail: string; readonly hint: string };

describe("a hot standby", { skip }, () => {
  let primary: OwnServer;
  let standby: OwnServer;
  before(async () => {
    primary = await startPostgres();
    await primary.createDatabase("app");
    await primary.query("app", "CREATE TABLE t AS SELECT 1 AS id");
    standby = await startStandby(primary, { max_standby_streaming_delay: "0", hot_standby_feedback: "off" });
  });
  after(async () => {
    await standby[Symbol.asyncDispose]();
    await primary[Symbol.asyncDispose]();
  });

  it("ends a dump for a conflict with recovery, which is tried again, and then reported with what to set", async () => {
    await using volume = await temporaryFolder();
    const environment = backupEnvironment(standby, "app", volume.path);
    await using backup = await startFunction("backup", { ...environment, RETRY_SECONDS: "3600" });
    const tried = () => backup.lines.filter(({ message }) => message === "step retrying");
    const answer = backup.post({}, { prefer: "respond-async" });

    await lockAgainAndAgain(primary, () => tried().length > 0);
    const done = await Promise.race([backup.logged("run succeeded"), backup.logged("run failed")]);

    assert.equal((await answer).status, 202);
    assert.equal(tried()[0]?.["code"], "standby_conflict");
    assert.equal(done.message, "run succeeded");
  });

  it("names what to set there when it goes on", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(standby, "app", volume.path));
    let problem: Problem | undefined;
    const answer = backup.post().then(async (response) => (problem = (await response.json()) as Problem));

    await lockAgainAndAgain(primary, () => problem !== undefined);
    await answer;

    assert.equal(problem?.code, "standby_conflict");
    assert.match(problem.hint, /hot_standby_feedback=on .*max_standby_streaming_delay/);
  });

  it("whose replay is paused is reported by the doctor and in the warnings of each backup", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(standby, "app", volume.path));
    const warnings = async () => {
      const { findings } = (await (await backup.get("/doctor")).json()) as Report;
      const { warnings: noted } = (await (await backup.post()).json()) as BackupManifest;
      return [...findings.filter(({ state }) => state === "warning").map(({ detail }) => detail), ...noted];
    };
    const isOfStandby = (text: string) => text.includes("the server is a standby");

    assert.deepEqual((await warnings()).filter(isOfStandby), []);
    await standby.query("postgres", "SELECT pg_wal_replay_pause()");
    const told = (await warnings()).filter(isOfStandby);
    await standby.query("postgres", "SELECT pg_wal_replay_resume()");

    assert.equal(told.length, 2);
    for (const text of told)
      assert.match(text, /minutes old.*its replay is paused: SELECT pg_wal_replay_resume/);
  });

  it("is no place to restore to: doctor and plan say so, for each strategy, and nothing is begun", async () => {
    await using volume = await temporaryFolder();
    await using backup = await startFunction("backup", backupEnvironment(primary, "app", volume.path));
    const { name } = (await (await backup.post()).json()) as BackupManifest;
    const content = await readContent(volume.path);
    await using restore = await startFunction("restore", restoreEnvironment(standby, "app", volume.path));

    const { healthy, findings } = (await (await restore.get("/doctor")).json()) as Report;
    const [fault] = findings.filter(({ check, state }) => check === "restore" && state === "fault");
    assert.equal(healthy, false);
    assert.match(`${fault?.detail} ${fault?.fix}`, /standby.*name the primary/);
    for (const how of [{}, { strategy: "in-place" }, { into: "scratch" }, { into: "other" }]) {
      const plan = (await (await restore.post({ filename: name, ...how, dryRun: true })).json()) as {
        readonly blockers: readonly { readonly kind: string; readonly remedy: string }[];
      };
      const refused = (await (await restore.post({ filename: name, ...how })).json()) as Problem;

      assert.equal(plan.blockers[0]?.kind, "standby", JSON.stringify(how));
      assert.equal(refused.code, "restore_blocked");
      assert.match(refused.hint, /name the primary/);
    }
    assert.deepEqual(await readContent(volume.path), content);
  });
});

/** Takes on the primary what a dump of the standby holds: the standby lets go of neither, and ends the dump. */
async function lockAgainAndAgain(primary: OwnServer, isEnough: () => boolean): Promise<void> {
  const client = await primary.connect("app");
  while (!isEnough()) {
    await client.query("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; COMMIT");
    await pause(10);
  }
  await client.end();
}
