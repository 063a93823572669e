import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { BackupManifest } from "../../../../shared/catalog/manifest.ts";
import type { Run } from "../../../../shared/run/run.ts";
import { eventReceiver, type EventReceiver } from "../../../support/event-receiver.ts";
import { until } from "../../../support/faulty.ts";
import { minutesAgo, type FunctionProcess } from "../../../support/function-process.ts";
import { setSeveralStage, type SeveralStage } from "../../../support/several-stage.ts";

describe("rehearsals of several databases by schedule", () => {
  let stage: SeveralStage;
  let sink: EventReceiver;
  let restore: FunctionProcess;
  let pings = 0;
  const begunMs = Date.now();

  before(async () => {
    sink = await eventReceiver();
    stage = await setSeveralStage();
    restore = await stage.start({ K_SINK: sink.url });
  });
  after(async () => {
    await stage[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
  });

  const pathOf = (database: string) => join(stage.path, `${stage.backups.get(database)}.json`);
  const manifestOf = async (database: string) =>
    JSON.parse(await readFile(pathOf(database), "utf8")) as BackupManifest;
  const levels = () =>
    Promise.all(stage.databases.map(async (database) => (await manifestOf(database)).verification.level));
  const runsNow = async () => ((await (await restore.get("/runs")).json()) as { runs: readonly Run[] }).runs;

  /** The runs that a ping has started, when all have ended. */
  async function rehearsed(data: unknown): Promise<readonly Run[]> {
    const known = new Set((await runsNow()).map(({ id }) => id));
    const answer = await restore.ping({ data, time: minutesAgo(++pings, begunMs) });
    assert.deepEqual([answer.status, await answer.text()], [202, ""]);
    const fresh = async () => (await runsNow()).filter(({ id }) => !known.has(id));
    const isOver = ({ state }: Run) => state === "succeeded" || state === "failed";
    await until(async () => (await fresh()).length > 0 && (await fresh()).every(isOver));
    return fresh();
  }

  it("proves the latest of the one that is named, and no other", async () => {
    const [, second] = stage.databases;

    const runs = await rehearsed({ filename: "latest", into: "scratch", database: second });

    assert.deepEqual(
      runs.map(({ database, state }) => [database, state]),
      [[second, "succeeded"]],
    );
    assert.deepEqual(await levels(), ["read", "compared", "read"]);
  });

  it("is refused without a database, and for one that has no backup, but by the name of a backup", async () => {
    const [first] = stage.databases;
    const before = (await runsNow()).length;
    const made = { into: "scratch", database: `${first}_made_up` };
    for (const data of [
      { filename: "latest", into: "scratch" },
      { filename: "latest", ...made },
    ])
      assert.equal((await restore.ping({ data })).status, 400);
    assert.equal((await runsNow()).length, before);
    const runs = await rehearsed({ filename: stage.backups.get(first), into: "scratch" });

    assert.deepEqual(
      runs.map(({ database, state }) => [database, state]),
      [[first, "succeeded"]],
    );
  });

  it("proves of each the latest that is not proved, by a run of its own; one that fails stops no other", async () => {
    const [first, second, third] = stage.databases;
    const unread = async (database: string, hash?: string) => {
      const manifest = await manifestOf(database);
      const { tables } = manifest.content;
      const changed = hash === undefined ? tables : tables.map((table) => ({ ...table, hash }));
      const content = { ...manifest.content, tables: changed };
      const verification = { level: "read", at: manifest.startedAt };
      await writeFile(pathOf(database), JSON.stringify({ ...manifest, content, verification }));
    };
    await unread(first, "0".repeat(32));
    await unread(third);
    const before = sink.events.length;

    const runs = await rehearsed({ rehearse: "each" });

    assert.deepEqual(
      new Map(runs.map(({ database, state }) => [database, state])),
      new Map([
        ["", "failed"],
        [first, "failed"],
        [second, "succeeded"],
        [third, "succeeded"],
      ]),
    );
    const whole = runs.find(({ database }) => database === "");
    assert.equal(whole?.problem?.code, "sweep_incomplete");
    assert.match(whole?.problem?.message ?? "", new RegExp(`1 of 3 .*${first}.*values_differ`));
    assert.deepEqual(await levels(), ["read", "compared", "compared"]);
    await until(() => sink.events.length >= before + 2);
    assert.deepEqual(
      sink.events
        .slice(before)
        .map(({ type }) => type)
        .filter((type) => type.startsWith("dev.dormouse.rehearsal")),
      ["dev.dormouse.rehearsal.failed", "dev.dormouse.rehearsal.completed"],
    );
    assert.deepEqual(await stage.all(), stage.databases.toSorted());
  });
});
