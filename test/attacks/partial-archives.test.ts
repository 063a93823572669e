import assert from "node:assert/strict";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Finding, Report } from "../../shared/doctor/finding.ts";
import type { Run } from "../../shared/run/run.ts";
import { dumpSessions, preload, problemIn, setStage, until, type Stage } from "../support/faulty.ts";
import {
  manifestOf,
  restoreEnvironment,
  startFunction,
  type FunctionProcess,
} from "../support/function-process.ts";
import { endedRestore } from "../support/restore-cluster.ts";
import { temporaryFolder } from "../support/volume.ts";

const DAY = "2026-11-01";

describe("the partial archive of a run that was killed", () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  const left = async () => {
    const names = await readdir(stage.path, { recursive: true });
    return names.filter((name) => /^\d[^/]*\/\.tmp-/.test(name)).toSorted();
  };

  async function nextBackupLeaves(): Promise<readonly string[]> {
    await using next = await stage.start();
    await manifestOf(await next.post());
    return await left();
  }

  it("goes with the next backup when the run was abandoned after three attempts", async () => {
    const { backup, release } = await stage.startHeld();
    await backup.end("SIGKILL");
    for (let attempt = 2; attempt <= 3; attempt++) {
      const earlier = await left();
      await using _next = await stage.start({ RETRY_SECONDS: "600" });
      // Each attempt removes what the one before left, and has an archive of its own.
      await until(async () => (await left()).some((name) => !earlier.includes(name)));
    }
    await using last = await stage.start();
    await last.logged("run abandoned");
    await release();
    assert.notDeepEqual(await left(), []);

    assert.deepEqual(await nextBackupLeaves(), []);
  });

  it("goes with the next backup when the run was abandoned for its age", async () => {
    const { backup, release } = await stage.startHeld();
    await backup.end("SIGKILL");
    await release();
    await using woken = await stage.start(later(7));
    await woken.logged("run abandoned");
    assert.notDeepEqual(await left(), []);

    assert.deepEqual(await nextBackupLeaves(), []);
  });

  it("goes when the restore in place whose safety backup it was is settled", async () => {
    const environment = restoreEnvironment(stage.server, stage.database, stage.path);
    const holder = await stage.server.connect(stage.database);
    await holder.query("BEGIN; LOCK TABLE hire.owner IN ACCESS EXCLUSIVE MODE");
    await using doomed = await startFunction("restore", environment);
    doomed.post({ filename: "latest", strategy: "in-place" }).catch(() => undefined);
    await until(async () => (await left()).length > 0 && (await dumpSessions(stage)).length > 0);
    await doomed.end("SIGKILL");
    await holder.end();

    await using next = await startFunction("restore", { ...environment, ...later(7) });
    await next.logged("run resumed");
    await endedRestore(stage.path);

    assert.deepEqual(await left(), []);
  });

  it("goes by what the record says, and stays where it may be another database's", async () => {
    const others = { database: `${stage.database}_other` };
    const abandoned = await leave("backup", "1");
    const ended = await leave("restore", "2", { state: "failed" });
    const live = await leave("backup", "3", { state: "running", ...others });
    const theirs = await leave("restore", "4", { state: "failed", ...others });
    assert.deepEqual(await left(), [abandoned, live, ended, theirs].toSorted());

    assert.deepEqual(await nextBackupLeaves(), [abandoned, live, theirs].toSorted());

    await using tomorrow = await stage.start(later(25));
    const [warning] = await listWarnings(tomorrow, "volume");
    assert.match(`${warning?.detail}`, /^3 temporary files .* 21 bytes/);
    await manifestOf(await tomorrow.post());
    assert.deepEqual(await left(), [live, theirs].toSorted());
  });

  it("is followed by what was to become a record or a manifest: of ended runs, once no process can be at it", async () => {
    const folder = join(stage.path, ".dormouse", "runs");
    const inRuns = async () => (await readdir(folder)).filter((name) => name.startsWith(".tmp-")).toSorted();
    const leaveRecord = async (digit: string, says?: Partial<Run>) => {
      const name = basename(await leave("restore", digit, says));
      await rename(join(stage.path, DAY, name), join(folder, name));
      return name;
    };
    const ended = await leaveRecord("5", { state: "succeeded" });
    const theirs = await leaveRecord("6", { state: "succeeded", database: `${stage.database}_other` });
    const unknown = await leaveRecord("7");
    const rewritten = `${DAY}/.tmp-rewrite-0123abcd`;
    await writeFile(join(stage.path, rewritten), "partial");

    await nextBackupLeaves();
    assert.deepEqual(await inRuns(), [ended, theirs, unknown]);
    await using soon = await stage.start(later(2));
    await manifestOf(await soon.post());
    assert.deepEqual(await inRuns(), [theirs, unknown]);
    assert.ok((await left()).includes(rewritten));
    await using tomorrow = await stage.start(later(25));
    const [warning] = await listWarnings(tomorrow, "volume");
    assert.match(`${warning?.detail}`, /^5 temporary files .* 35 bytes/);
    await manifestOf(await tomorrow.post());

    assert.deepEqual(await inRuns(), [theirs]);
    assert.ok(!(await left()).includes(rewritten));
  });

  it("is followed by what a killed restore had in RESTORE_DIR, whatever the next one is asked for", async () => {
    await using scratch = await temporaryFolder();
    const flat = (database: string) => `${DAY}_${database}${DAY}-01-00.bak`;
    const ours = [`.tmp-${flat(stage.database)}-0badcafe`, `${flat(stage.database)}.fetched`];
    const others = [`.tmp-${flat(`${stage.database}_other`)}-0badcafe`, "notes"];
    for (const name of [...ours, ...others]) await writeFile(join(scratch.path, name), "partial");
    const environment = restoreEnvironment(stage.server, stage.database, stage.path);
    await using restore = await startFunction("restore", {
      ...environment,
      ...later(25),
      RESTORE_DIR: scratch.path,
    });

    const [warning] = await listWarnings(restore, "restore-dir");
    const { code } = await problemIn(restore.post({ undo: `restore-${"8".repeat(24)}` }));

    assert.match(`${warning?.detail}`, /^3 copies of archives, 21 bytes, /);
    assert.equal(code, "undo_unavailable");
    assert.deepEqual((await readdir(scratch.path)).toSorted(), others);
  });

  async function listWarnings(of: FunctionProcess, name: string): Promise<readonly Finding[]> {
    const { findings } = (await (await of.get("/doctor")).json()) as Report;
    return findings.filter(({ check, state }) => check === name && state === "warning");
  }

  /** A temporary file, and the record of the run that wrote it, if it is to have one. */
  async function leave(kind: Run["kind"], digit: string, says?: Partial<Run>): Promise<string> {
    const id = `${kind}-${digit.repeat(24)}`;
    const name = `${DAY}/.tmp-${id}-0123abcd`;
    await mkdir(join(stage.path, DAY), { recursive: true });
    await writeFile(join(stage.path, name), "partial");
    const at = new Date();
    const run: Run = {
      id,
      kind,
      state: "accepted",
      database: stage.database,
      trigger: { source: "http", id },
      request: {},
      attempt: 1,
      acceptedAt: at,
      updatedAt: at,
      steps: [],
      ...says,
    };
    if (says !== undefined)
      await writeFile(join(stage.path, ".dormouse", "runs", `${id}.json`), JSON.stringify(run));
    return name;
  }
});

function later(hours: number) {
  return { ...preload("clock-preload.ts"), DORMOUSE_TEST_CLOCK_OFFSET_MS: `${hours * 3_600_000}` };
}
