import type { ComponentChildren } from "preact";
import type { RecoveryTime } from "../../commands/recovery-time.ts";
import type { Overview } from "../../commands/status.ts";
import type { DatabaseStatus } from "../../commands/status-of.ts";
import { agoText, bytesText, countText, durationText, plural } from "../../text/units.ts";
import type { Open } from "./doing.ts";
import { Time } from "./time.tsx";
import { useNow } from "./use-now.ts";

/** Last night's backup of each database, what would be lost, and what can be taken back. */
export function Databases({ overview, open }: { readonly overview: Overview; readonly open: Open }) {
  const now = useNow();
  return (
    <section class="databases" aria-label="Databases">
      {overview.status.databases.map((status) => (
        <Database key={status.database} status={status} overview={overview} open={open} now={now} />
      ))}
    </section>
  );
}

type Props = {
  readonly status: DatabaseStatus;
  readonly overview: Overview;
  readonly open: Open;
  readonly now: number;
};

function Database({ status, overview, open, now }: Props) {
  const { database, newest } = status;
  const can = new Set(overview.functions);
  return (
    <article class="card">
      <h2>{database}</h2>
      <dl class="facts">
        <LastBackup status={status} now={now} />
        <Promised status={status} now={now} />
        <Around status={status} now={now} />
      </dl>
      <p class="actions">
        {can.has("backup") && (
          <button type="button" class="primary" onClick={() => open({ kind: "backup", database })}>
            Back up now
          </button>
        )}
        {can.has("restore") && newest !== undefined && (
          <>
            <button type="button" onClick={() => open({ kind: "restore", backup: newest })}>
              Plan and restore
            </button>
            <button type="button" onClick={() => open({ kind: "rehearse", backup: newest })}>
              Rehearse
            </button>
          </>
        )}
      </p>
      {status.undo.map((kept) => (
        <Kept key={kept.run} kept={kept} open={open} now={now} />
      ))}
    </article>
  );
}

type KeptProps = Pick<Props, "open" | "now"> & { readonly kept: DatabaseStatus["undo"][number] };

function Kept({ kept: { run, until }, open, now }: KeptProps) {
  return (
    <p class="undo">
      <span>
        The database from before the last restore is kept for another{" "}
        <strong>{durationText(Date.parse(until) - now)}</strong>.
      </span>
      <button type="button" onClick={() => open({ kind: "undo", run })}>
        Undo the restore
      </button>
    </p>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const PROOFS = {
  read: "read to its end",
  counted: "restored in a rehearsal, its rows counted",
  compared: "restored in a rehearsal, its values compared",
} as const;

function LastBackup({ status: { newest, before }, now }: { status: DatabaseStatus; now: number }) {
  if (newest === undefined) return <Fact name="Last good backup">none</Fact>;
  const { startedAt, sizeBytes, manifest } = newest;
  const proof = PROOFS[manifest.verification.level];
  return (
    <>
      <Fact name="Last good backup">
        <strong>{agoText(startedAt, now)}</strong>
        <small>
          <Time at={startedAt} />
        </small>
        <small>Proof: {proof}</small>
      </Fact>
      <Fact name="Size">
        <strong>{bytesText(sizeBytes)}</strong>
        <small>
          {plural(manifest.content.rows, "row")} in {plural(manifest.content.tables.length, "table")}
        </small>
        {before !== undefined && (
          <small>
            The one before: {bytesText(before.sizeBytes)}, {countText(before.manifest.content.rows)} rows
          </small>
        )}
      </Fact>
    </>
  );
}

function Promised({ status: { lostMs, recovery, newest }, now }: { status: DatabaseStatus; now: number }) {
  const lost = newest === undefined ? undefined : now - Date.parse(newest.startedAt);
  return (
    <>
      <Fact name="Lost if the database died now">
        <strong>
          {lost === undefined || lostMs === undefined ? "everything" : `the last ${durationText(lost)}`}
        </strong>
      </Fact>
      <Fact name="Back again in">
        {recovery === undefined ? <Unmeasured /> : <Measured recovery={recovery} />}
      </Fact>
    </>
  );
}

function Unmeasured() {
  return (
    <>
      <strong>not measured yet</strong>
      <small>A rehearsal measures it.</small>
    </>
  );
}

function Measured({ recovery }: { readonly recovery: RecoveryTime }) {
  const { estimateMs, measuredMs, at, isRehearsal, measuredBytes, bytes } = recovery;
  return (
    <>
      <strong>about {durationText(estimateMs)}</strong>
      <small>
        The {isRehearsal ? "rehearsal" : "restore"} of <Time at={at} /> took {durationText(measuredMs)}
        {measuredBytes === bytes ? "" : `, scaled from ${bytesText(measuredBytes)} to ${bytesText(bytes)}`}.
      </small>
      {isRehearsal && <small>Stopping and starting the application comes on top.</small>}
    </>
  );
}

function Around({ status, now }: { readonly status: DatabaseStatus; readonly now: number }) {
  const { notInBucket, nextPing, lastBackupRun, lastRehearsal } = status;
  return (
    <>
      {notInBucket !== undefined && (
        <Fact name="Bucket">
          <strong>
            {notInBucket === 0
              ? "has the newest backup"
              : `lacks the newest ${plural(notInBucket, "backup")}`}
          </strong>
        </Fact>
      )}
      {nextPing !== undefined && (
        <Fact name="Next backup">
          <strong>in {durationText(Date.parse(nextPing) - now)}</strong>
          <small>
            <Time at={nextPing} />
          </small>
        </Fact>
      )}
      {lastBackupRun !== undefined && (
        <Fact name="Last backup run">
          <strong>{lastBackupRun.state}</strong>
          <small>{agoText(lastBackupRun.acceptedAt, now)}</small>
        </Fact>
      )}
      <Fact name="Last rehearsal">
        <strong>
          {lastRehearsal === undefined ? "none is known" : agoText(lastRehearsal.acceptedAt, now)}
        </strong>
      </Fact>
    </>
  );
}
