import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Report } from "../../shared/doctor/finding.ts";
import { eachOnCluster } from "../support/each-on-cluster.ts";
import { problemIn } from "../support/faulty.ts";
import { manifestOf, startFunction, type FunctionProcess } from "../support/function-process.ts";
import {
  endedRestore,
  REPLICAS,
  startRestoreCluster,
  type RestoreCluster,
} from "../support/restore-cluster.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";
import { runDatabase } from "../../shared/postgres/databases/own-database.ts";

const PAST = "2026-01-01T00:00:00.000Z";
const FORGED = `restore-${"a".repeat(24)}`;

/** A writer to the volume that has neither a token nor the password. */
describe("a forged record and a ping", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;
  let backup: FunctionProcess;
  let others: string;
  let kept: string;

  before(async () => {
    stage = await setRestoreStage();
    cluster = await startRestoreCluster();
    backup = await startFunction("backup", stage.environment);
    others = await stage.server.createDatabase(`${stage.database}_of_others`);
    const restore = await stage.start();
    const { run } = await stage.readResult(restore.post({ filename: "latest" }));
    await restore.end("SIGTERM");
    kept = stage.before(run);
  });
  after(async () => {
    await backup[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });

  const put = (changes: object) =>
    writeFile(
      join(stage.path, ".dormouse", "runs", `${FORGED}.json`),
      JSON.stringify({
        id: FORGED,
        kind: "restore",
        state: "succeeded",
        database: stage.database,
        trigger: { source: "http", id: "forged" },
        request: { kind: "restore", filename: stage.backup.name, strategy: "swap", dryRun: false },
        attempt: 1,
        acceptedAt: new Date().toISOString(),
        updatedAt: new Date().toISOString(),
        steps: [],
        ...changes,
      }),
    );
  const journal = (changes: object) => ({
    state: "interrupted",
    journal: {
      strategy: "swap",
      phase: "rolling-back",
      database: stage.database,
      source: stage.backup.name,
      loaded: others,
      workloads: [{ kind: "deployment", name: "frontend", replicas: 7 }],
      ...changes,
    },
  });

  const forged: readonly (readonly [string, () => object])[] = [
    [
      "that another's database is kept and its time over",
      () => ({ kept: { database: others, until: PAST } }),
    ],
    ["that the live database is kept", () => ({ kept: { database: stage.database, until: PAST } })],
    ["that the time of what is kept is over", () => ({ kept: { database: kept, until: PAST } })],
    ["that another's database was loaded for a rehearsal", () => journal({ strategy: "rehearse" })],
    ["that the live database was loaded", () => journal({ loaded: stage.database })],
    ["that another's database is to be exchanged", () => journal({ phase: "loaded" })],
    ["that the live database is to be replaced", () => journal({ phase: "stopping", strategy: "in-place" })],
    ["that the application is to be started", () => journal({ phase: "starting", kept })],
    ["that a restore was asked for", () => ({ state: "accepted" })],
  ];
  for (const [what, changes] of forged) {
    it(`changes nothing by saying ${what}`, async () => {
      const databases = await stage.databases();
      await stage.destroyData().catch(() => undefined);
      const content = await stage.fingerprint();
      await put(changes());
      const restore = await stage.start(cluster.environment);

      assert.equal((await restore.ping()).status, 202);
      await restore.logged("run records not sealed");
      await restore.end("SIGTERM");
      await manifestOf(await backup.post({}));

      assert.deepEqual(await stage.databases(), databases);
      assert.deepEqual(await stage.fingerprint(), content);
      assert.deepEqual(cluster.scalings(), []);
      assert.deepEqual(cluster.replicas(), REPLICAS);
    });
  }

  it("is logged, and stops no restore: the server does not say that it is under way", async () => {
    await put({ state: "interrupted" });
    await using restore = await stage.start();

    const shown = await problemIn(restore.get(`/runs/${FORGED}`));
    const { findings } = (await (await restore.get("/doctor")).json()) as Report;
    const { strategy } = await stage.readResult(
      restore.post({ filename: stage.backup.name, into: "scratch" }),
    );

    assert.equal(shown.code, "record_unsealed");
    assert.equal(strategy, "rehearse");
    assert.ok(
      findings.some(({ check, detail }) => check === "leftovers" && detail.includes(FORGED)),
      JSON.stringify(findings),
    );
  });
});

describe("a sealed record of a run that has ended, put back as it was in between", () => {
  let stage: RestoreStage;
  let cluster: RestoreCluster;
  eachOnCluster((given) => ({ stage, cluster } = given));

  const points = ["after phase loading", "after phase loaded", "after phase stopping", "before step swapped"];

  for (const point of points) {
    it(`does nothing once more: the record of ${point}`, async () => {
      const path = await stage.kill(point, cluster.environment);
      const old = await readFile(path, "utf8");
      const next = await stage.start(cluster.environment);
      await endedRestore(stage.path);
      await next.end("SIGTERM");
      await stage.query(stage.database, "CREATE TABLE hire.since AS SELECT 1 AS id");
      const content = await stage.fingerprint();
      const scalings = cluster.scalings();
      cluster.server.set(0);
      await writeFile(path, old);

      await using again = await stage.start(cluster.environment);
      await endedRestore(stage.path);

      assert.deepEqual(await stage.fingerprint(), content);
      assert.deepEqual(cluster.scalings(), scalings);
      assert.equal(
        again.lines.some(({ message }) => message === "run records not sealed"),
        false,
      );
    });
  }

  it("is not believed under the name of another run", async () => {
    const path = await stage.kill("after phase stopping", cluster.environment);
    const text = (await readFile(path, "utf8")).replaceAll(/restore-[0-9a-f]{24}/g, FORGED);
    await writeFile(join(dirname(path), `${FORGED}.json`), text);

    await using restore = await stage.start(cluster.environment);
    await restore.logged("run records not sealed");

    assert.equal((await problemIn(restore.get(`/runs/${FORGED}`))).code, "record_unsealed");
  });
});

describe("what the server says of databases", () => {
  let stage: RestoreStage;
  let restore: FunctionProcess;

  before(async () => {
    stage = await setRestoreStage();
    await stage.query("postgres", "COMMENT ON DATABASE :db IS E'of the owner\\nin two lines'");
    restore = await stage.start();
  });
  after(() => stage[Symbol.asyncDispose]());

  const comment = async (database: string) => {
    const sql = `SELECT shobj_description(oid, 'pg_database') AS text FROM pg_database WHERE datname = '${database}'`;
    return ((await stage.query("postgres", sql)).rows as { text: string | null }[])[0]?.text;
  };

  it("leaves the owner's comment to the live database, and to the kept one with a mark behind it", async () => {
    const { run, undo } = await stage.readResult(restore.post({ filename: "latest" }));

    assert.equal(await comment(stage.database), "of the owner\nin two lines");
    assert.equal(
      await comment(stage.before(run)),
      `of the owner\nin two lines\ndormouse: kept by ${run} until ${undo?.until}`,
    );

    const { run: undoing } = await stage.readResult(restore.post({ undo: run }));
    assert.equal(await comment(stage.database), "of the owner\nin two lines");
    assert.match(
      (await comment(stage.before(undoing))) ?? "",
      /lines\ndormouse: kept by restore-[0-9a-f]{24} until /,
    );
  });

  it("keeps a database that only bears the name of a kept one", async () => {
    const name = runDatabase(stage.database, "before", FORGED);
    await stage.query("postgres", `CREATE DATABASE "${name}"`);
    const backup = await startFunction("backup", stage.environment);

    await manifestOf(await backup.post({}));
    const told = await backup.logged("databases left: the server does not say that a restore kept them");
    const undo = await problemIn(restore.post({ undo: FORGED }));
    await backup.end("SIGTERM");

    assert.deepEqual(told["databases"], [name]);
    assert.equal(undo.code, "undo_unavailable");
    assert.ok((await stage.databases()).includes(name));
  });
});
