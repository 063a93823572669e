import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { RestoreResult } from "../../../functions/restore/journal/restore-result.ts";
import { problemIn } from "../../support/faulty.ts";
import { askPlan } from "../../support/restore-plan.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

describe("the restore function", () => {
  let stage: RestoreStage;

  beforeEach(async () => {
    stage = await setRestoreStage();
  });

  afterEach(() => stage[Symbol.asyncDispose]());

  it("puts a backup back by its name, with grants, settings and comment of the live database", async () => {
    await stage.query(stage.database, 'ALTER DATABASE :db SET search_path = hire, "Odd Names", public');
    await stage.query(stage.database, "COMMENT ON DATABASE :db IS 'it''s live'");
    await stage.query(stage.database, "REVOKE CONNECT ON DATABASE :db FROM PUBLIC");
    await stage.query(stage.database, "ALTER DATABASE :db CONNECTION LIMIT 77");
    const properties = await stage.properties(stage.database);
    await stage.destroyData();

    const restore = await stage.start();
    const result = await stage.readResult(restore.post({ filename: stage.backup.name }));

    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.deepEqual(await stage.properties(stage.database), properties);
    assert.equal(result.strategy, "swap");
    assert.equal(result.compared?.rows, stage.backup.content.rows);
    assert.deepEqual(result.undo?.body, { undo: result.run });
    assert.deepEqual(await stage.databases(), [stage.database, stage.before(result.run)].toSorted());
  });

  it("takes a restore back, and takes that back as well", async () => {
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    const restore = await stage.start();
    const result = await stage.readResult(restore.post({ filename: "latest" }));

    const undone = await stage.readResult(restore.post({ undo: result.run }));
    const afterUndo = await stage.fingerprint();
    const redone = await stage.readResult(restore.post({ undo: undone.run }));
    const again = await problemIn(restore.post({ undo: result.run }));

    assert.deepEqual(afterUndo, destroyed);
    assert.equal(redone.strategy, "undo");
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.equal(again.code, "undo_unavailable");
  });

  it("shows a plan and touches nothing", async () => {
    const before = await stage.databases();
    const restore = await stage.start();

    const plan = await askPlan(restore, { filename: stage.backup.name.slice(11) });

    assert.deepEqual(plan.blockers, []);
    assert.equal(plan.backup?.sha256, stage.backup.archive.sha256);
    assert.deepEqual(await stage.databases(), before);
  });

  it("rehearses a backup into a scratch database and says so in its manifest", async () => {
    const restore = await stage.start();

    const result = await stage.readResult(restore.post({ filename: "latest", into: "scratch" }));

    assert.equal(result.compared?.tables, stage.backup.content.tables.length);
    assert.equal((await stage.manifest()).verification.level, "compared");
    assert.deepEqual(await stage.databases(), [stage.database]);
  });

  it("restores beside the live database under a new name", async () => {
    const restore = await stage.start();
    const target = `${stage.database}_copy`;

    const result = await stage.readResult(restore.post({ filename: "latest", into: target }));
    const taken = await problemIn(restore.post({ filename: "latest", into: target }));

    assert.equal(result.target, target);
    assert.deepEqual(await stage.fingerprint(target), stage.original);
    assert.equal(taken.code, "restore_blocked");
    assert.match(taken.detail, /there is a database of that name/);
  });

  it("restores in place for a role that may not create databases, and that can be undone", async () => {
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    const restore = await stage.startAsOwner();

    const blocked = await problemIn(restore.post({ filename: "latest" }));
    const result = await stage.readResult(restore.post({ filename: "latest", strategy: "in-place" }));
    const restored = await stage.fingerprint();
    const undone = await stage.readResult(restore.post(result.undo?.body));

    assert.match(blocked.detail, /may not create or rename databases/);
    assert.deepEqual(restored, stage.original);
    assert.equal(undone.strategy, "in-place");
    assert.deepEqual(await stage.fingerprint(), destroyed);
    assert.equal(await stage.connectionLimit(), -1);
  });

  it("makes the database anew where there is none", async () => {
    await stage.server.dropDatabase(stage.database);
    const restore = await stage.start();

    const result = await stage.readResult(restore.post({ filename: "latest" }));

    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.equal(result.undo, undefined);
  });

  it("takes a restore back after which the database was dropped", async () => {
    const restore = await stage.start();
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    const properties = await stage.properties(stage.database);
    const { undo } = await stage.readResult(restore.post({ filename: "latest" }));
    await stage.server.dropDatabase(stage.database);

    const planned = await askPlan(restore, { ...undo?.body });
    const result = await stage.readResult(restore.post(undo?.body));

    assert.deepEqual(planned.blockers, []);
    assert.match(planned.warnings.join(), /no live database: nothing is kept/);
    assert.deepEqual(await stage.fingerprint(), destroyed);
    assert.deepEqual(await stage.properties(stage.database), properties);
    assert.equal(result.undo, undefined);
    assert.deepEqual(await stage.databases(), [stage.database]);
    await stage.readResult(restore.post({ filename: "latest" }));
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ["a path out of the volume", { filename: "../../etc/passwd" }],
    ["an absolute path", { filename: "/etc/passwd" }],
    ["an option", { filename: "--file=x" }],
    ["a NUL", { filename: "a\0b2026-11-22-01-00.bak" }],
    ["another database's backup", { filename: "2026-11-22/other2026-11-22-01-00.bak" }],
    ["an unknown field", { filename: "latest", force: true }],
    ["no filename", {}],
    ["into and strategy", { filename: "latest", into: "x", strategy: "swap" }],
  ];
  for (const [what, body] of bad) {
    it(`refuses ${what} and records nothing`, async () => {
      const restore = await stage.start();

      const problem = await problemIn(restore.post(body));

      assert.equal(problem.code, "request_invalid");
      assert.equal(problem.status, 400);
      assert.deepEqual(await stage.runs(), []);
    });
  }

  it("offers the nearest names where one is misspelt or unknown, and names the field that is missing", async () => {
    const restore = await stage.start();
    const { name } = stage.backup;

    const misspelt = await problemIn(restore.post({ filename: name.replace(".bak", "bak") }));
    const unknown = await problemIn(restore.post({ filename: name.replace(/\d\d\.bak/, "61-9.bak") }));
    const later = await problemIn(restore.post({ filename: name.replace(".bak", "-99.bak") }));
    const missing = await problemIn(restore.post({}));

    for (const { hint } of [misspelt, unknown, later])
      assert.ok(hint?.includes(`nearest names are ${name}`), hint);
    assert.deepEqual([misspelt.code, later.code], ["request_invalid", "backup_not_found"]);
    assert.match(missing.detail, /"filename" is missing: it must be the name of a backup/);
  });

  it("measures the downtime, and streams each step", async () => {
    const restore = await stage.start();

    const response = await restore.post({ filename: "latest" }, { accept: "application/x-ndjson" });
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; step?: string; result?: RestoreResult });

    const steps = lines.filter(({ type }) => type === "step").map(({ step }) => step);
    const expected = ["locked", "planned", "verified", "loaded", "compared", "fenced", "swapped"];
    assert.deepEqual(
      steps.filter((step) => step !== "progress"),
      expected,
    );
    assert.equal(typeof lines.at(-1)?.result?.downtimeMs, "number");
  });
});

describe("a restore that loads for long", () => {
  it("streams how much is loaded, at which rate, and the time that is left", async () => {
    // Its index is not made, and so it is not restored, as long as there is a session of this name.
    const slow = (
      database: string,
    ) => `CREATE FUNCTION public.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
      BEGIN
        WHILE EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'holds ${database}') LOOP
          PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
        END LOOP;
        RETURN 1;
      END $$;
      CREATE TABLE public.slow AS SELECT 1 AS n; CREATE INDEX ON public.slow (public.slow(n))`;
    await using stage = await setRestoreStage({
      prepare: (server, database) => server.query(database, slow(database)),
    });
    const holder = await stage.server.connect();
    await holder.query(`SET application_name = 'holds ${stage.database}'`);
    const restore = await stage.start();

    const body = { filename: "latest", into: "scratch" };
    const response = await restore.post(body, { accept: "application/x-ndjson" });
    let text = "";
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += part;
      if (text.includes('"progress"')) await holder.end();
    }
    const lines = text.trim().split("\n");

    const steps = lines.map((line) => JSON.parse(line) as { step?: string; detail?: object });
    const { detail } = steps.find(({ step }) => step === "progress") ?? {};
    const told = Object.entries(detail ?? {}).filter(([, value]) => typeof value === "number");
    assert.deepEqual(
      told.map(([key]) => key),
      ["bytes", "expectedBytes", "bytesPerSecond", "remainingSeconds"],
      lines.join("\n"),
    );
    assert.ok(told.every(([, value]) => value >= 0));
  });
});
