import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { RestoreOverview } from "../../../functions/restore/show-restores.ts";
import { problemIn } from "../../support/faulty.ts";
import { manifestOf, startFunction, type FunctionProcess } from "../../support/function-process.ts";
import { setRestoreStage, type RestoreStage } from "../../support/restore-stage.ts";

async function shownBy(restore: FunctionProcess): Promise<RestoreOverview> {
  return (await (await restore.get("/")).json()) as RestoreOverview;
}

describe("the database that a restore keeps", () => {
  let stage: RestoreStage;
  let run: string;

  beforeEach(async () => {
    stage = await setRestoreStage();
    await using restore = await stage.start();
    ({ run } = await stage.readResult(restore.post({ filename: "latest" })));
  });

  afterEach(() => stage[Symbol.asyncDispose]());

  it("stays while it can be undone, and goes with the first backup after that", async () => {
    const both = [stage.database, stage.before(run)].toSorted();
    await using today = await startFunction("backup", stage.environment);
    await manifestOf(await today.post({ label: "soon after" }));
    const meanwhile = await stage.databases();

    await stage.letTimePass(run);
    await manifestOf(await today.post({ label: "days later" }));

    assert.deepEqual(meanwhile, both);
    assert.deepEqual(await stage.databases(), [stage.database]);
    assert.deepEqual(await stage.fingerprint(), stage.original);
  });

  it("keeps no restore waiting when its time is over and a session holds it", async () => {
    const holder = await stage.server.connect();
    await holder.query("BEGIN");
    await holder.query("SELECT FROM pg_database WHERE datname = $1 FOR UPDATE", [stage.before(run)]);
    await stage.destroyData();
    await stage.letTimePass(run);
    const later = await stage.start();

    const result = await stage.readResult(later.post({ filename: stage.backup.name }));
    const held = await stage.databases();
    await holder.end();
    await later.ping();

    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.ok(held.includes(stage.before(run)));
    const warning = later.lines.find(({ message }) => message === "kept database not dropped");
    assert.equal(warning?.["code"], "lock_timeout");
    assert.deepEqual(await stage.databases(), [stage.database, stage.before(result.run)]);
  });

  it("is listed with its time until it is dropped, and not if the server cannot be read", async () => {
    const restore = await stage.start();
    const [soon] = (await shownBy(restore)).undo;
    await stage.letTimePass(run);
    const [over] = (await shownBy(restore)).undo;
    await stage.server.dropDatabase(stage.before(run));
    const gone = await shownBy(restore);
    await restore.end("SIGTERM");
    const away = await shownBy(await stage.start({ PGPORT: "1" }));

    assert.ok(Date.parse(String(soon?.until)) > Date.now());
    assert.equal(over?.until, "1970-01-01T00:00:00.000Z");
    assert.deepEqual([gone.undo, gone.undoProblem], [[], undefined]);
    assert.deepEqual([away.undo, away.undoProblem?.code, away.backups.length], [[], "server_unreachable", 1]);
  });

  it("goes with a ping to the restore function, and cannot be asked for any more", async () => {
    await stage.letTimePass(run);
    const later = await stage.start();

    const answer = await later.ping();
    const undo = await problemIn(later.post({ undo: run }));

    assert.equal(answer.status, 202);
    assert.equal(undo.code, "undo_unavailable");
    assert.deepEqual(await stage.databases(), [stage.database]);
  });
});
