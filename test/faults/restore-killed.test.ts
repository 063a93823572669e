import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import {
  endedRestore,
  REPLICAS,
  restoreRuns,
  startRestoreCluster,
  type RestoreCluster,
  type RestoreRun,
} from "../support/restore-cluster.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

/**
 * Where the process is killed: before a record is on the volume (what it records has happened), or after (what it
 * announces has not). And what the next start makes of it.
 */
type Point = readonly [point: string, outcome: "restored" | "not restored"];

const SWAP: readonly Point[] = [
  // The server knows of nothing that it has begun: the caller asks again.
  ["before step locked", "not restored"],
  ["before phase loading", "not restored"],
  ["after phase loading", "not restored"],
  ["before step verified", "restored"],
  ["before step loaded", "restored"],
  ["before phase loaded", "restored"],
  ["after phase loaded", "restored"],
  ["after phase stopping", "restored"],
  ["before step stopped deployment/frontend", "restored"],
  ["before step stopped deployment/server", "restored"],
  ["after phase swapping", "restored"],
  ["before step fenced", "restored"],
  ["after step fenced", "restored"],
  ["before phase starting", "restored"],
  ["before step swapped", "restored"],
  ["before step started deployment/server", "restored"],
  ["before step started deployment/frontend", "restored"],
  ["before phase ended", "restored"],
  ["before succeeded", "restored"],
];

const UNDO: readonly Point[] = [
  ["before phase loaded", "not restored"],
  ["after phase stopping", "restored"],
  ["before step stopped deployment/server", "restored"],
  ["before step fenced", "restored"],
  ["before phase starting", "restored"],
  ["before step started deployment/server", "restored"],
  ["before phase ended", "restored"],
];

const IN_PLACE: readonly Point[] = [
  ["before phase loaded", "not restored"],
  ["before step stopped deployment/frontend", "restored"],
  ["before step stopped deployment/server", "restored"],
  ["before step published", "restored"],
  ["after phase swapping", "restored"],
  ["before phase starting", "restored"],
  ["before step replaced", "restored"],
  ["before step started deployment/server", "restored"],
  ["before phase ended", "restored"],
];

const REHEARSAL: readonly Point[] = [
  ["after phase loading", "not restored"],
  ["before step verified", "restored"],
  ["before phase loaded", "restored"],
  ["before phase ended", "restored"],
  ["before succeeded", "restored"],
];

const BESIDE: readonly Point[] = [
  ["after phase loading", "not restored"],
  ["after phase loaded", "restored"],
  ["before phase ended", "restored"],
];

type Lane = { readonly stage: RestoreStage; readonly cluster: RestoreCluster };

/** Two at once: the machine waits for processes to start, mostly. */
const LANES = 2;

describe("a restore whose process is killed", { concurrency: LANES }, () => {
  const lanes: Lane[] = [];
  const free: Lane[] = [];
  const waiting: ((lane: Lane) => void)[] = [];

  before(async () => {
    for (let count = 0; count < LANES; count++)
      lanes.push({ stage: await setRestoreStage(), cluster: await startRestoreCluster() });
    free.push(...lanes);
  });
  after(async () => {
    for (const { stage, cluster } of lanes) {
      await stage[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    }
  });

  async function inLane(work: (lane: Lane) => Promise<void>): Promise<void> {
    const lane = free.pop() ?? (await new Promise<Lane>((resolve) => waiting.push(resolve)));
    try {
      await work(lane);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free.push(lane);
      else next(lane);
    }
  }

  for (const [point, outcome] of SWAP) {
    it(`swap, killed ${point}: ${outcome}`, () =>
      inLane((lane) =>
        killAndStartAgain(lane, point, { body: { filename: lane.stage.backup.name }, outcome }),
      ));
  }

  for (const [point, outcome] of UNDO) {
    it(`undo, killed ${point}: ${outcome}`, () =>
      inLane(async (lane) => {
        const { stage, cluster } = lane;
        await change(stage);
        const restore = await stage.start(cluster.environment);
        const { run } = await stage.readResult(restore.post({ filename: "latest" }));
        await restore.end("SIGTERM");

        await killAndStartAgain(lane, point, { body: { undo: run }, outcome });
      }));
  }

  for (const point of ["after step fenced", "before phase ended"]) {
    it(`undo of a dropped database, killed ${point}: restored`, () =>
      inLane(async ({ stage, cluster }) => {
        await change(stage);
        const was = await stage.fingerprint();
        const restore = await stage.start(cluster.environment);
        const { run } = await stage.readResult(restore.post({ filename: "latest" }));
        await restore.end("SIGTERM");
        await stage.server.dropDatabase(stage.database);

        await stage.kill(point, cluster.environment, { undo: run });
        const next = await stage.start(cluster.environment);
        const ended = await endedRestore(stage.path);
        await next.end("SIGTERM");

        assert.equal(ended.state, "succeeded", JSON.stringify(ended.problem));
        assert.deepEqual(await stage.fingerprint(), was);
        assert.deepEqual(await stage.databases(), [stage.database]);
        assert.deepEqual(cluster.replicas(), REPLICAS);
      }));
  }

  for (const [point, outcome] of IN_PLACE) {
    it(`in place, killed ${point}: ${outcome}`, () =>
      inLane((lane) =>
        killAndStartAgain(lane, point, {
          body: { filename: lane.stage.backup.name, strategy: "in-place" },
          outcome,
        }),
      ));
  }

  for (const [point, outcome] of REHEARSAL) {
    it(`rehearsal, killed ${point}: ${outcome}`, () =>
      inLane(async (lane) => {
        const body = { filename: lane.stage.backup.name, into: "scratch" };
        await killAndStartAgain(lane, point, { body, outcome });

        if (outcome === "not restored") return;
        assert.equal((await lane.stage.manifest()).verification.level, "compared");
        const result = (await restoreRuns(lane.stage.path)).at(-1)?.result as RestoreResult | undefined;
        assert.equal(result?.target, undefined);
      }));
  }

  for (const [point, outcome] of BESIDE) {
    it(`beside, killed ${point}: ${outcome}`, () =>
      inLane(async (lane) => {
        const { stage } = lane;
        const into = `${stage.database}_copy`;
        await killAndStartAgain(lane, point, { body: { filename: stage.backup.name, into }, outcome });

        if (outcome === "not restored") return;
        assert.deepEqual(await stage.fingerprint(into), stage.original);
        await stage.server.dropDatabase(into);
      }));
  }
});

type Body = Readonly<Record<string, string>>;
type Killing = { readonly body: Body; readonly outcome: Point[1] };

async function killAndStartAgain(lane: Lane, point: string, { body, outcome }: Killing): Promise<void> {
  const { stage, cluster } = lane;
  if (!("undo" in body)) await change(stage);
  const was = await stage.fingerprint();
  await stage.kill(point, cluster.environment, body);

  assert.ok((await stage.databases()).includes(stage.database), "the live database is absent");
  const next = await stage.start(cluster.environment);
  const run = await endedRestore(stage.path);
  await next.end("SIGTERM");

  const isRestored = run.state === "succeeded";
  assert.equal(isRestored ? "restored" : "not restored", outcome, JSON.stringify(run.problem));
  const is = await stage.fingerprint();
  if ("undo" in body && isRestored) assert.notDeepEqual(is, stage.original);
  else assert.deepEqual(is, isRestored && !("into" in body) ? stage.original : was);
  assert.deepEqual(cluster.replicas(), REPLICAS);
  assert.deepEqual([...cluster.kubernetes.pingSources.keys()], []);
  await assertDatabases(stage, body, run);
  assert.equal(await stage.connectionLimit(), -1);
  assert.ok(
    (await restoreRuns(stage.path)).every(({ state }) => state !== "running" && state !== "accepted"),
  );
}

/** The live one, what a swap keeps, what was asked for beside it; nothing else. */
async function assertDatabases(stage: RestoreStage, body: Body, run: RestoreRun): Promise<void> {
  const kept = run.state === "succeeded" ? keptBy(stage, body, run.id) : keptBefore(stage, body);
  const isMade = run.state === "succeeded" && "into" in body && body["into"] !== "scratch";
  const made = isMade ? [body["into"]] : [];
  assert.deepEqual(await stage.databases(), [stage.database, ...kept, ...made]);
  if (run.state === "succeeded") assert.deepEqual(run.kept?.database, kept[0]);
  for (const each of kept) await stage.server.dropDatabase(each);
}

function keptBy(stage: RestoreStage, { strategy, into }: Body, run: string): string[] {
  return strategy !== "in-place" && into === undefined ? [stage.before(run)] : [];
}

function keptBefore(stage: RestoreStage, { undo }: Body): string[] {
  return undo === undefined ? [] : [stage.before(undo)];
}

/** What is to be undone: the live content is no longer what was backed up. */
async function change(stage: RestoreStage): Promise<void> {
  await stage.query(stage.database, "CREATE TABLE IF NOT EXISTS hire.newer AS SELECT 1 AS id");
}
