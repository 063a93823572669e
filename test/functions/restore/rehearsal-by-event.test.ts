import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import type { Run } from "../../../shared/run/run.ts";
import { eventReceiver, type EventReceiver } from "../../support/event-receiver.ts";
import { problemIn, until } from "../../support/faulty.ts";
import { minutesAgo, type FunctionProcess } from "../../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

/** Takes its time in a scratch database, and in no other. */
const SLOW_REHEARSAL = String.raw`
  CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN IF current_database() LIKE '%\_\_scratch\_%' THEN PERFORM pg_sleep(300); END IF; RETURN true; END $$;
  CREATE TABLE slow (n int CHECK (slow(n))); INSERT INTO slow VALUES (1);`;

describe("a rehearsal that a ping asks for", () => {
  let stage: RestoreStage;
  let sink: EventReceiver;
  let restore: FunctionProcess;
  let untouched: string;
  /** Each of a minute of its own: two pings of a schedule in one minute are one. */
  let pings = 0;
  const begunMs = Date.now();

  before(async () => {
    sink = await eventReceiver();
    stage = await setRestoreStage();
    restore = await stage.start({ K_SINK: sink.url });
    untouched = await readFile(manifestPath(stage), "utf8");
  });

  afterEach(() => writeFile(manifestPath(stage), untouched));

  after(async () => {
    await stage[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
  });

  /** The event of its end. */
  async function rehearsed(data: unknown) {
    const before = sink.events.length;
    const answer = await restore.ping({ data, time: minutesAgo(++pings, begunMs) });
    assert.deepEqual([answer.status, await answer.text()], [202, ""]);
    const ends = () =>
      sink.events.slice(before).filter(({ type }) => /rehearsal\.|restore\.c|rolled/.test(type));
    await until(async () => ends().length > 0);
    return ends();
  }

  for (const data of [{ filename: "latest", into: "scratch" }, { rehearse: "each" }])
    it(`proves the latest backup, asked by ${JSON.stringify(data)}`, async () => {
      const ends = await rehearsed(data);

      assert.deepEqual(
        ends.map(({ type, subject }) => [type, subject]),
        [["dev.dormouse.rehearsal.completed", stage.backup.name]],
      );
      assert.equal((await stage.manifest()).verification.level, "compared");
      assert.deepEqual(await stage.databases(), [stage.database]);
    });

  it("does nothing where each latest backup has been proved", async () => {
    await rehearsed({ rehearse: "each", database: stage.database });
    const before = await stage.manifest();

    await restore.ping({ data: { rehearse: "each" }, time: minutesAgo(++pings, begunMs) });
    const stepsOfLast = async () => {
      const [run] = await runsOf(restore);
      return run?.state === "succeeded" ? run.steps.map(({ step }) => step) : [];
    };
    await until(async () => (await stepsOfLast()).includes("found"));

    assert.equal((await stepsOfLast()).includes("loaded"), false);
    assert.deepEqual(await stage.manifest(), before);
  });

  it("says that it failed, and the backup is proved no more", async () => {
    await rehearsed({ rehearse: "each" });
    const manifest = await stage.manifest();
    const content = { ...manifest.content, largeObjectsHash: "0".repeat(32) };
    await writeFile(manifestPath(stage), JSON.stringify({ ...manifest, content }));

    const [end] = await rehearsed({ filename: "latest", into: "scratch" });

    const { verification } = await stage.manifest();
    assert.equal(end?.type, "dev.dormouse.rehearsal.failed");
    assert.deepEqual([verification.level, verification.failed?.code], ["read", "values_differ"]);
    assert.deepEqual(await stage.databases(), [stage.database]);
  });

  const refused: readonly unknown[] = [
    { filename: "latest" },
    { filename: "latest", strategy: "in-place" },
    { filename: "latest", into: "copy" },
    { filename: "latest", into: "scratch", owner: "current" },
    { filename: "latest", into: "scratch", dryRun: true },
    { undo: "restore-0123456789abcdef01234567" },
    { rehearse: "all" },
    { rehearse: "each", into: "scratch" },
    { rehearse: "each", database: "another" },
    { strategy: "swap" },
    [],
    "latest",
    7,
  ];
  for (const data of refused)
    it(`is refused, and starts no run: ${JSON.stringify(data)}`, async () => {
      const before = await stage.runs();
      const answer = await restore.ping({ data });

      assert.ok([400, 422].includes(answer.status), `${answer.status}`);
      assert.deepEqual(await stage.runs(), before);
    });

  it("is refused where the server's disk has no room for it", async () => {
    const small = await stage.start({ SERVER_DISK_GIB: "1" });
    const manifest = await stage.manifest();
    const content = { ...manifest.content, databaseBytes: 2 ** 30 };
    await writeFile(manifestPath(stage), JSON.stringify({ ...manifest, content }));

    const problem = await problemIn(small.post({ filename: "latest", into: "scratch" }));

    assert.equal(problem.code, "restore_blocked");
    assert.match(problem.detail, /a rehearsal needs 1\.0 GiB: more than nine tenths of 1\.0 GiB/);
    assert.equal((await stage.manifest()).verification.failed, undefined);
  });
});

it("a rehearsal is one named session, and gives way to a restore that a person asks for", async () => {
  await using stage = await setRestoreStage({
    prepare: (server, database) => server.query(database, SLOW_REHEARSAL),
  });
  const restore = await stage.start({ RESTORE_JOBS: "2" });
  const loading = async () => {
    const sql = `SELECT FROM pg_stat_activity WHERE starts_with(datname, '${stage.database}')
      AND application_name = 'dormouse rehearsal' AND query LIKE 'COPY%'`;
    return (await stage.query("postgres", sql)).rows.length;
  };

  await restore.ping({ data: { rehearse: "each" } });
  await until(async () => (await loading()) === 1);
  const result = await stage.readResult(restore.post({ filename: "latest" }));

  const rehearsal = (await runsOf(restore)).find(({ problem }) => problem !== undefined);
  assert.equal(result.strategy, "swap");
  // The restore settles what the rehearsal left, if it has the lock before that does so itself.
  assert.match(rehearsal?.problem?.code ?? "", /^(rehearsal_gave_way|interrupted)$/);
  assert.deepEqual(await stage.databases(), [stage.database, stage.before(result.run)].toSorted());
  assert.equal((await stage.manifest()).verification.failed, undefined);
});

function manifestPath({ path, backup }: RestoreStage): string {
  return join(path, `${backup.name}.json`);
}

async function runsOf(restore: FunctionProcess): Promise<readonly Run[]> {
  const answer = await restore.get("/runs");
  const { runs } = (await answer.json()) as { runs: readonly { id: string }[] };
  return Promise.all(runs.map(async ({ id }) => (await (await restore.get(`/runs/${id}`)).json()) as Run));
}
