import type { Output } from "../output.ts";
import type { RestorePlan } from "../wire.ts";
import { agoText, bytesText, plural, timeText } from "./units.ts";

/** What a restore would do, as a person reads it. */
export function showPlan(output: Output, plan: RestorePlan): void {
  const { line, style } = output;
  line(style("bold", titleOf(plan)));
  const { backup, server, workloads } = plan;
  if (backup !== undefined) {
    const { name, startedAt, sizeBytes, rows, tables, verification } = backup;
    line(`  backup     ${name}, taken ${timeText(startedAt)}, ${agoText(startedAt, Date.now())}`);
    if (rows !== undefined)
      line(
        `  holds      ${plural(rows, "row")} in ${plural(tables ?? 0, "table")}, an archive of ${bytesText(sizeBytes)}`,
      );
    line(`  proof      ${verification ?? "none: a file of the old pod"}`);
  }
  const live = server.databaseBytes === 0 ? "none" : bytesText(server.databaseBytes);
  line(`  live       ${live}, ${plural(server.sessions, "session")}, PostgreSQL ${server.serverVersion}`);
  for (const { workload, replicas } of workloads)
    line(`  stops      ${workload}, and comes back with ${plural(replicas, "replica")}`);
  plan.steps.forEach((step, index) =>
    line(`  ${index === 0 ? "steps     " : "          "} ${index + 1}. ${step}`),
  );
  line(`  downtime   ${plan.downtime}`);
  for (const warning of plan.warnings) line(style("yellow", `  warning    ${warning}`));
  for (const { detail, remedy } of plan.blockers) {
    line(style("red", `  BLOCKED    ${detail}`));
    line(`  remedy     ${remedy}`);
  }
}

const TITLES: Readonly<Record<RestorePlan["strategy"], (plan: RestorePlan) => string>> = {
  swap: ({ database }) => `Restore ${database}`,
  "in-place": ({ database }) => `Restore ${database} in place: the application is down for the whole load`,
  rehearse: ({ database }) => `Rehearse a restore of ${database}: the application notices nothing`,
  beside: ({ target }) => `Restore beside the live database, as ${target}`,
  undo: ({ database }) => `Take the last restore of ${database} back`,
};

function titleOf(plan: RestorePlan): string {
  return TITLES[plan.strategy](plan);
}
