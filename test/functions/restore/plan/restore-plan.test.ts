import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { STRATEGIES, type Strategy } from "../../../../functions/restore/plan/strategy.ts";
import { planRestore, type PlanRequest } from "../../../../functions/restore/plan/restore-plan.ts";
import type { TargetFacts } from "../../../../shared/postgres/properties/target-facts.ts";
import { plainDatabase } from "../../../support/postgres-adapter.ts";
import { legacyFile, restorable, targetFacts } from "../../../support/restorables.ts";

const server = {
  workload: { kind: "deployment", name: "server" },
  state: { replicas: 2, pods: 2, autoscalers: ["horizontalpodautoscaler/busy"] },
} as const;
const frontend = {
  workload: { kind: "deployment", name: "frontend" },
  state: { replicas: 1, pods: 1, autoscalers: undefined },
} as const;

function plan(given: Partial<PlanRequest> = {}) {
  return planRestore({
    strategy: "swap",
    database: "hets",
    backup: restorable(),
    target: "hets",
    facts: targetFacts(),
    workloads: [server, frontend],
    warnings: [],
    ...given,
  });
}

describe("the plan of a restore", () => {
  it("stops in the reverse of the order in which it starts, around the exchange", () => {
    const { steps } = plan();

    const stop = steps.indexOf("stop deployment/frontend (1), deployment/server (2)");
    const swapNames = steps.indexOf("exchange both in one transaction");
    const start = steps.indexOf(
      "start deployment/server (2), deployment/frontend (1), each until it is ready",
    );
    assert.ok(0 < stop && stop < swapNames && swapNames < start, steps.join("; "));
    assert.equal(start, steps.length - 1);
  });

  it("loads before anything is stopped, but in place takes a safety backup first", () => {
    const swap = plan().steps;
    const inPlace = plan({ strategy: "in-place" }).steps;

    assert.ok(
      swap.indexOf("compare the rows of each table") < swap.findIndex((step) => step.startsWith("stop")),
    );
    assert.ok(
      inPlace.indexOf("take a safety backup") < inPlace.indexOf("replace all content in one transaction"),
    );
  });

  it("of a rehearsal or a database beside touches no workload and has no downtime", () => {
    for (const strategy of ["rehearse", "beside"] as const) {
      const { workloads, downtime, steps } = plan({ strategy, target: "copy" });
      assert.deepEqual(workloads, []);
      assert.equal(downtime, "none");
      assert.doesNotMatch(steps.join(), /stop|start/);
    }
  });

  it("names the autoscaler that may interfere", () => {
    assert.deepEqual(plan().warnings, ["horizontalpodautoscaler/busy may scale deployment/server meanwhile"]);
  });

  it("warns of what the backup lacks, of a file without a manifest, and of slots that stay behind", () => {
    const lacks = [{ kind: "tables", detail: "3 rows of x", names: ["x"], data: true }];
    const facts = targetFacts({ inactiveSlots: ["debezium"] });

    const { warnings } = plan({ backup: restorable({ lacks }), facts, workloads: [] });

    assert.deepEqual(warnings, [
      "the backup lacks 3 rows of x",
      "replication slot debezium stays with the old database",
    ]);
    assert.match(plan({ backup: legacyFile(), workloads: [] }).warnings.join(), /no manifest/);
  });

  it("warns of settings that the load cannot be given, unless the database has them as well", () => {
    const facts = targetFacts({ uncarriedSettings: ["app.x", "app.y"] });
    const warned = (live: TargetFacts["live"]) => plan({ facts: { ...facts, live } }).warnings;

    assert.match(warned(undefined).join(), /cannot be given settings .*: app\.x, app\.y;/);
    const live = { ...plainDatabase, settings: [{ name: "app.x", value: "größe" }] };
    assert.match(warned(live).join(), /cannot be given settings .*: app\.y;/);
    assert.doesNotMatch(
      plan({ strategy: "undo", backup: undefined, facts }).warnings.join(),
      /cannot be given/,
    );
  });

  it("warns of a superuser, whose rights the SQL of an archive has, whatever loads it", () => {
    const warnedOf = (isSuperuser: boolean, strategy: Strategy) =>
      /as a superuser.*docs\/roles\.md/.test(
        plan({ strategy, facts: targetFacts({ isSuperuser }), workloads: [] }).warnings.join("\n"),
      );

    for (const strategy of ["swap", "in-place", "rehearse", "beside"] as const)
      assert.deepEqual([warnedOf(true, strategy), warnedOf(false, strategy)], [true, false]);
  });

  it("warns of slots that an undo leaves behind, and of readers that get what is loaded in place", () => {
    const facts = targetFacts({ activeSlots: ["mirror"], inactiveSlots: ["debezium"] });

    const undo = plan({ strategy: "undo", backup: undefined, facts, workloads: [] });
    const inPlace = plan({ strategy: "in-place", facts, workloads: [] });

    assert.deepEqual(undo.warnings, ["replication slot debezium stays with the old database"]);
    assert.deepEqual(inPlace.warnings, [
      "what reads replication slot mirror is sent the loaded rows, and not that others are gone",
      "what reads replication slot debezium is sent the loaded rows, and not that others are gone",
    ]);
  });

  it("says of a server without the live database that it is made anew", () => {
    const { warnings, blockers } = plan({ facts: targetFacts({ exists: false }), workloads: [] });

    assert.match(warnings.join(), /made anew/);
    assert.deepEqual(blockers, []);
  });

  it("needs the room of the database as it was, or as it is when the file does not say", () => {
    assert.equal(plan({ facts: targetFacts({ databaseBytes: 7 }) }).neededBytes, 1_000);
    assert.equal(plan({ facts: targetFacts({ databaseBytes: 7 }), backup: legacyFile() }).neededBytes, 7);
    assert.equal(plan({ strategy: "undo", backup: undefined }).neededBytes, 0);
  });

  it("has steps and a downtime for each strategy, and is plain JSON", () => {
    for (const strategy of STRATEGIES) {
      const made = plan({ strategy });
      assert.ok(made.steps.length > 0 && made.downtime !== "", strategy);
      assert.deepEqual(JSON.parse(JSON.stringify(made)), JSON.parse(JSON.stringify({ ...made })));
    }
  });
});
