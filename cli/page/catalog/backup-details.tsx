import { compareBackups } from "../../commands/compare-backups.ts";
import type { Overview } from "../../commands/status.ts";
import { bytesText, countText } from "../../text/units.ts";
import type { Backup } from "../../wire.ts";
import type { Open } from "../parts/doing.ts";
import { Warnings } from "../run/result.tsx";
import { Changes } from "./changes.tsx";
import { backupBefore, placesOf } from "./choose.ts";

type Props = { readonly backup: Backup; readonly overview: Overview; readonly open: Open };

/** What the manifest says, what can be done with it, and how to restore it without Dormouse. */
export function BackupDetails({ backup, overview, open }: Props) {
  const { manifest, suspicion } = backup;
  const before = backupBefore(overview.catalog.backups, backup);
  return (
    <div class="opened">
      <Actions backup={backup} overview={overview} open={open} />
      {suspicion !== undefined && (
        <p class="less">
          Suspect: {suspicion.detail} The last good one is <code>{suspicion.against}</code>.
        </p>
      )}
      <Facts backup={backup} />
      <Warnings warnings={manifest.warnings} />
      <h3>Rows, against the backup before</h3>
      {before === undefined ? (
        <p>There is none before it.</p>
      ) : (
        <Changes changes={compareBackups(before.manifest, manifest).tables} />
      )}
      <h3>To restore it by hand, without Dormouse</h3>
      <pre tabIndex={0} role="region" aria-label="Command that restores it by hand">
        {manifest.restoreByHand}
      </pre>
      <details>
        <summary>The manifest, with the rows of each table</summary>
        <pre tabIndex={0} role="region" aria-label="Manifest">
          {JSON.stringify(manifest, null, 2)}
        </pre>
      </details>
    </div>
  );
}

function Facts({ backup }: { readonly backup: Backup }) {
  const { manifest } = backup;
  const { archive, content, versions, pin, acknowledged } = manifest;
  const facts = [
    ["Proof", `${manifest.verification.level}, ${manifest.verification.at}`],
    ["Places", placesOf(backup).join(", ")],
    [
      "Database",
      `${bytesText(content.databaseBytes)}, ${countText(content.rows)} rows in ${content.tables.length} tables`,
    ],
    ["PostgreSQL", versions.server],
    [
      "Archive",
      `${archive.format}, ${archive.compression}${archive.recipients === undefined ? "" : ", encrypted"}`,
    ],
    ["SHA-256", archive.sha256],
    ["Run", manifest.run],
    ["Pinned", pin && markText(pin)],
    ["Acknowledged", acknowledged && markText(acknowledged)],
  ] as const;
  return (
    <dl class="plan">
      {facts.map(([name, value]) =>
        value === undefined ? null : (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ),
      )}
    </dl>
  );
}

function markText({
  at,
  by,
  reason,
}: {
  readonly at: string;
  readonly by: string;
  readonly reason?: string | undefined;
}): string {
  return `${at} by ${by}${reason === undefined ? "" : `: ${reason}`}`;
}

function Actions({ backup, overview, open }: Props) {
  const can = new Set(overview.functions);
  const { manifest, suspicion } = backup;
  const mark = manifest.pin === undefined ? "pin" : "unpin";
  return (
    <p class="actions">
      {can.has("restore") && (
        <>
          <button type="button" class="primary" onClick={() => open({ kind: "restore", backup })}>
            Plan and restore
          </button>
          <button type="button" onClick={() => open({ kind: "rehearse", backup })}>
            Rehearse
          </button>
        </>
      )}
      {can.has("cull") && (
        <>
          <button type="button" onClick={() => open({ kind: "mark", action: mark, backup })}>
            {mark === "pin" ? "Pin" : "Unpin"}
          </button>
          {suspicion !== undefined && (
            <button type="button" onClick={() => open({ kind: "mark", action: "acknowledge", backup })}>
              Acknowledge
            </button>
          )}
        </>
      )}
    </p>
  );
}
