import { bytesText, plural } from "../../text/units.ts";
import type { RestorePlan } from "../../wire.ts";
import { Time } from "../parts/time.tsx";
import { Warnings } from "./result.tsx";

/** What a restore would do, as a person reads it. */
export function PlanView({ plan }: { readonly plan: RestorePlan }) {
  const { server, workloads, steps, downtime, warnings, blockers } = plan;
  return (
    <>
      {blockers.length > 0 && <Blockers blockers={blockers} />}
      <dl class="plan">
        <Source plan={plan} />
        <dt>Live now</dt>
        <dd>
          {server.databaseBytes === 0 ? "none" : bytesText(server.databaseBytes)},{" "}
          {plural(server.sessions, "session")}, PostgreSQL {server.serverVersion}
        </dd>
        {workloads.length > 0 && (
          <>
            <dt>Stops, and comes back</dt>
            {workloads.map(({ workload, replicas }) => (
              <dd key={workload}>
                {workload}, with {plural(replicas, "replica")}
              </dd>
            ))}
          </>
        )}
        <dt>Expected downtime</dt>
        <dd>{downtime}</dd>
      </dl>
      <Warnings warnings={warnings} />
      <details>
        <summary>{plural(steps.length, "step")}</summary>
        <ol>
          {steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      </details>
    </>
  );
}

function Source({ plan: { backup } }: { readonly plan: RestorePlan }) {
  if (backup === undefined) return null;
  const { startedAt, rows, tables = 0, sizeBytes, verification = "none, a file of the old pod" } = backup;
  return (
    <>
      <dt>Backup of</dt>
      <dd>
        <Time at={startedAt} />
      </dd>
      <dt>Holds</dt>
      <dd>
        {rows !== undefined && `${plural(rows, "row")} in ${plural(tables, "table")}, `}
        {bytesText(sizeBytes)} as an archive
      </dd>
      <dt>Proof</dt>
      <dd>{verification}</dd>
    </>
  );
}

function Blockers({ blockers }: { readonly blockers: RestorePlan["blockers"] }) {
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>This restore would be refused. Nothing was touched.</strong>
      </p>
      <ul>
        {blockers.map(({ kind, detail, remedy }) => (
          <li key={`${kind} ${detail}`}>
            {detail}
            <p class="hint">{remedy}</p>
          </li>
        ))}
      </ul>
    </div>
  );
}
