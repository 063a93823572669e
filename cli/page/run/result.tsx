import { undoCommand } from "../../../shared/undo-command.ts";
import { DONE } from "../../text/run-words.ts";
import { sweptCountText, sweptText } from "../../text/swept-text.ts";
import { bytesText, durationText, plural } from "../../text/units.ts";
import type { Manifest, RestoreResult, Sweep } from "../../wire.ts";
import type { Open } from "../parts/doing.ts";
import { Time } from "../parts/time.tsx";

type Props = { readonly result: unknown; readonly where: string; readonly open?: Open | undefined };

/** The end of a run that succeeded: a backup's manifest, or what a restore did. Of several databases some may have failed. */
export function Result({ result, where, open }: Props) {
  if (typeof result !== "object" || result === null) return <p class="done">It has succeeded.</p>;
  if ("strategy" in result) return <Restored result={result as RestoreResult} where={where} open={open} />;
  if ("archive" in result) return <Taken manifest={result as Manifest} />;
  if ("databases" in result) return <TakenOfAll sweep={result as Sweep} />;
  return <p class="done">It has succeeded.</p>;
}

function Taken({
  manifest: { name, archive, content, elapsedMs, warnings },
}: {
  readonly manifest: Manifest;
}) {
  return (
    <div class="done" role="status">
      <p>
        <strong>The backup is there, and proved by reading it to its end.</strong>
      </p>
      <p>
        <code>{name}</code>: {bytesText(archive.sizeBytes)}, {plural(content.rows, "row")} in{" "}
        {plural(content.tables.length, "table")}, in {durationText(elapsedMs)}
      </p>
      <Warnings warnings={warnings} />
    </div>
  );
}

function TakenOfAll({ sweep: { databases } }: { readonly sweep: Sweep }) {
  const hasFailed = databases.some(({ problem }) => problem !== undefined);
  return (
    <div class={hasFailed ? "trouble" : "done"} role={hasFailed ? "alert" : "status"}>
      <p>
        <strong>{sweptCountText(databases)}</strong>
      </p>
      {databases.map((each) => (
        <p key={each.database}>{sweptText(each)}</p>
      ))}
    </div>
  );
}

function comparedText({
  by,
  tables,
  rows,
  onlyCounted = [],
}: NonNullable<RestoreResult["compared"]>): string {
  const all = `${plural(rows, "row")} in ${plural(tables, "table")}`;
  if (by === "counts") return `Counted: ${all}, as many as in the backup`;
  const counted = onlyCounted.length === 0 ? "" : `; only counted: ${onlyCounted.join(", ")}`;
  return `Compared: all values of ${all} are as in the backup${counted}`;
}

function Restored({
  result,
  where,
  open,
}: {
  result: RestoreResult;
  where: string;
  open?: Open | undefined;
}) {
  const { strategy, compared, downtimeMs, workloads, undo, warnings } = result;
  return (
    <div class="done" role="status">
      <p>
        <strong>{DONE[strategy]}</strong>
      </p>
      <ul>
        {compared !== undefined && <li>{comparedText(compared)}</li>}
        {downtimeMs !== undefined && <li>Downtime: {durationText(downtimeMs)}</li>}
        {workloads.map(({ workload, replicas, ready, why }) => (
          <li key={workload}>
            {workload}: {plural(replicas, "replica")}, {ready ? "ready" : `NOT READY: ${why ?? ""}`}
          </li>
        ))}
      </ul>
      <Warnings warnings={warnings} />
      {undo !== undefined && <HowToUndo undo={undo} where={where} open={open} />}
    </div>
  );
}

type Undo = NonNullable<RestoreResult["undo"]>;

function HowToUndo({
  undo: { body, until },
  where,
  open,
}: {
  undo: Undo;
  where: string;
  open?: Open | undefined;
}) {
  const { undo: run } = body;
  return (
    <>
      <p>
        To take it back
        {until !== undefined && (
          <>
            {" "}
            until <Time at={until} />
          </>
        )}
        :{" "}
        <code>
          {where} {undoCommand(body)}
        </code>
      </p>
      {run !== undefined && open !== undefined && (
        <p class="actions">
          <button type="button" onClick={() => open({ kind: "undo", run })}>
            Undo the restore
          </button>
        </p>
      )}
    </>
  );
}

export function Warnings({ warnings }: { readonly warnings: readonly string[] }) {
  if (warnings.length === 0) return null;
  return (
    <ul class="warnings">
      {warnings.map((warning) => (
        <li key={warning}>Warning: {warning}</li>
      ))}
    </ul>
  );
}
