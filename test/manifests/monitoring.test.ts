import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Run } from "../../shared/run/run.ts";
import { METRICS } from "../../shared/events/metrics/metric-list.ts";
import { pushGroup } from "../../shared/events/metrics/pushgateway.ts";
import { readMetrics } from "../../shared/events/metrics/read-metrics.ts";
import { alertRules, alertsAfter, MONITORING } from "../support/alerts.ts";
import { aManifest } from "../support/backups.ts";
import { whyNoGo } from "../support/go-program.ts";
import { MANIFESTS } from "../support/manifests.ts";
import { startPushgateway } from "../support/pushgateway.ts";

const AT = new Date("2026-11-22T01:00:00Z");
const LATER = new Date("2026-11-22T01:05:00Z");

/** A run as it lies in its record. */
function aRun(kind: Run["kind"], changes: Readonly<Record<string, unknown>> = {}): Run {
  const trigger = { source: "a", id: "b" };
  const times = { acceptedAt: AT, updatedAt: LATER, finishedAt: LATER };
  const ended = { id: `${kind}-1`, kind, state: "succeeded", database: "hets", trigger, request: {} };
  return { ...ended, ...times, attempt: 1, steps: [], ...changes } as unknown as Run;
}

const backedUp = aRun("backup", {
  result: { ...aManifest(), startedAt: AT.toISOString() },
  steps: [{ step: "mirrored", at: LATER, detail: { copied: [] } }],
});
const lacking = [
  { step: "mirror_failed", at: LATER, detail: { lacking: ["2026-11-20/hets2026-11-20-01-00.bak"] } },
];
const plan = { database: "hets", keep: [], remove: [] };
const culled = aRun("cull", { database: "*", result: { databases: [plan], removed: [] } });
const rehearsed = aRun("restore", { request: { strategy: "rehearse" }, result: { strategy: "rehearse" } });
const problem = { code: "rollback_pending", message: "the server is away" };

describe("the rules of components/monitoring", async () => {
  const skip = await whyNoGo();
  /** The alerts that fire `hours` after the series of these runs were pushed. */
  async function firing(runs: readonly Run[], hours: number, freeBytes = 50): Promise<string[]> {
    await using gateway = await startPushgateway();
    const target = { url: gateway.url, outbound: {}, signal: AbortSignal.timeout(600_000) };
    const volume = { sizeBytes: 100, freeBytes, freeInodes: 1_000 };
    for (const run of runs)
      for (const [database, samples] of readMetrics(run, volume))
        await pushGroup(target, { namespace: "prod", function: run.kind, database }, samples);
    return await alertsAfter(await gateway.series(), LATER, hours);
  }

  it("are quiet after good runs, and not for long where nothing follows", { skip }, async () => {
    const good = [backedUp, culled, rehearsed];

    assert.deepEqual(await firing(good, 24), []);
    assert.deepEqual(await firing(good, 37), ["NoBackup"]);
  });

  for (const [what, run, alert, free] of [
    ["a backup that failed", { ...aRun("backup"), state: "failed" } as Run, "RunFailed", 50],
    ["a mirror that is behind", { ...backedUp, steps: lacking } as Run, "BucketBehind", 50],
    [
      "a suspect backup",
      { ...culled, result: { databases: [{ ...plan, suspicion: {} }] } } as Run,
      "BackupSuspect",
      50,
    ],
    [
      "a database that cull misses",
      { ...culled, result: { databases: [{ ...plan, staleness: {} }] } } as Run,
      "BackupStale",
      50,
    ],
    ["a volume with little room", backedUp, "VolumeAlmostFull", 9],
    [
      "a rehearsal that failed",
      { ...rehearsed, state: "failed", result: undefined } as Run,
      "RehearsalOverdue",
      50,
    ],
  ] as const)
    it(`report ${what}`, { skip }, async () => {
      const alerts = await firing([run], 1, free);

      assert.ok(alerts.includes(alert), alerts.join(", "));
      assert.ok(
        alerts.every((each) => each === alert || each === "RunFailed"),
        alerts.join(", "),
      );
    });

  it("report a restore that is unsettled", { skip }, async () => {
    const left = { ...aRun("restore"), state: "interrupted", problem } as Run;

    assert.deepEqual(await firing([left], 1), ["RunFailed", "RestoreUnsettled"]);
  });

  it("are listed in docs/metrics.md", async () => {
    const page = await readFile(join(MANIFESTS, "..", "docs", "metrics.md"), "utf8");
    const { spec } = await alertRules();
    assert.deepEqual(
      [...page.matchAll(/^\| `(Dormouse\w+)`/gm)].map(([, alert]) => alert),
      spec.groups.flatMap(({ rules }) => rules).map(({ alert }) => alert),
    );
  });

  it("and the dashboard name only metrics that are pushed", async () => {
    const texts = ["rules.yaml", "dashboard.json"].map((name) => readFile(join(MONITORING, name), "utf8"));
    const named = (await Promise.all(texts)).flatMap((text) => text.match(/\bdormouse_\w+/g) ?? []);
    assert.ok(named.length > 10);
    for (const name of named) assert.ok(name in METRICS, name);
  });
});
