import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pushGroup } from "../../shared/events/metrics/pushgateway.ts";
import { heartbeat } from "../../shared/function/heartbeat.ts";
import { pushMetrics } from "../../shared/function/push-metrics.ts";
import { jsonLog } from "../../shared/log.ts";
import { ALL_DATABASES, type Run } from "../../shared/run/run.ts";
import { until } from "../support/faulty.ts";
import { whyNoGo } from "../support/go-program.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { webhooks } from "../support/webhooks.ts";

const skip = await whyNoGo();
const { signal } = new AbortController();
const log = jsonLog(() => undefined);
const at = new Date("2026-11-28T01:00:00Z");
const listed = { step: "listed", at, detail: { databases: ["kept", "broken"] } };
const ended: Run = {
  id: "backup-1",
  kind: "backup",
  state: "succeeded",
  database: ALL_DATABASES,
  trigger: { source: "http", id: "1" },
  request: {},
  attempt: 1,
  acceptedAt: at,
  updatedAt: at,
  finishedAt: at,
  steps: [],
};
const problem = (code: "rehearsal_gave_way" | "rows_differ" | "interrupted" | "rollback_pending") => ({
  problem: { code, message: "" },
});

describe("the metrics of a database", () => {
  it("are deleted by the run over all databases that no longer has it", { skip }, async () => {
    await using gateway = await startPushgateway();
    const config = { BACKUP_DIR: "/", POD_NAMESPACE: "hets", K_SERVICE: "own" };
    const target = { url: gateway.url, outbound: {}, signal };
    const fill = async (database: string, service: string, kind = "backup") =>
      pushGroup(target, { namespace: "hets", function: kind, database }, [
        { name: "dormouse_info", value: 1, labels: { service } },
      ]);
    for (const database of ["kept", "broken", "new", "vanished/1"]) await fill(database, "own");
    await fill("of another", "another");
    await fill("vanished/1", "own-cull", "cull");
    const left = async () =>
      (await gateway.series())
        .map((line) => /database="([^"]*)",function="([^"]*)"/.exec(line)?.slice(1).join(" of ") ?? "")
        .toSorted();
    const all = await left();
    const end = (run: Partial<Run>) =>
      pushMetrics(gateway.url, config, log).ended({ ...ended, ...run }, async () => assert.fail());

    // Nothing says which databases there are.
    await end({ state: "failed" });
    assert.deepEqual(await left(), all);

    const taken = { step: "backed_up", at, detail: { database: "new" } };
    await end({ state: "failed", steps: [listed, taken] });
    // The gateway answers before it has deleted.
    await until(async () => (await left()).length < all.length);
    assert.deepEqual(
      await left(),
      all.filter((group) => group !== "vanished/1 of backup"),
    );
  });

  const rehearsal: Partial<Run> = { kind: "restore", database: "hets", request: { strategy: "rehearse" } };
  for (const [what, run, pushes] of [
    ["a rehearsal that gave way", { ...rehearsal, state: "failed", ...problem("rehearsal_gave_way") }, false],
    ["a rehearsal that failed", { ...rehearsal, state: "failed", ...problem("rows_differ") }, true],
    [
      "a run that will be resumed",
      { database: "hets", state: "interrupted", ...problem("interrupted") },
      false,
    ],
    [
      "a restore that is not settled",
      { ...rehearsal, request: {}, state: "interrupted", ...problem("rollback_pending") },
      true,
    ],
  ] as const)
    it(`${pushes ? "are pushed" : "stay as they were"} at the end of ${what}`, async () => {
      using gateway = await webhooks();
      const monitor = pushMetrics(gateway.url, { BACKUP_DIR: "/", POD_NAMESPACE: "hets" }, log);
      await monitor.ended({ ...ended, ...run } as Run, async () => undefined);

      assert.equal(gateway.received.length > 0, pushes);
    });

  it("are silent of a rehearsal that gave way, and so is the monitor", async () => {
    using hook = await webhooks();
    const monitor = heartbeat(hook.url, {}, log);
    const told = async (run: Partial<Run>) => {
      hook.received.length = 0;
      await monitor.ended({ ...ended, ...rehearsal, state: "failed", ...run }, async () => undefined);
      return hook.received.map(({ path }) => path);
    };

    assert.deepEqual(await told(problem("rehearsal_gave_way")), []);
    assert.deepEqual(await told(problem("rows_differ")), ["/fail"]);
  });
});
