import { MAKES_NOTHING } from "../../postgres/plain-dump/script-makes.ts";
import { toBackup, type Backup } from "../backup.ts";
import type { LegacyContents, LegacyFile } from "../catalog.ts";
import type { BackupManifest } from "../manifest.ts";
import { totalRows } from "../../postgres/plain-dump/plain-dump.ts";
import { identifier } from "../../postgres/sql-text.ts";
import { NO_NEEDS } from "../../postgres/plain-dump/script-needs.ts";
import { restoreByHand } from "../restore-by-hand.ts";
import { version } from "../../version.ts";

type Adoption = { readonly run: string; readonly now: Date };

const DAY_MS = 86_400_000;

/**
 * The legacy files that a run may adopt, newest first, since the newest are what one would want back; behind those the ones
 * that `failed` before, the last to fail last, since in front they would keep all older ones from their turn. Left out are
 * those known to be damaged, those of which it is not known of which database they are, those whose name lies in the future,
 * since they would be the newest of all, and archives in pg_dump's own format of the last day: a backup of ours is one too,
 * until its manifest is written.
 */
export function adoptable(
  legacy: readonly LegacyFile[],
  now: Date,
  limit: number,
  failed: ReadonlyMap<string, Date>,
): readonly LegacyFile[] {
  const failedMs = ({ name }: LegacyFile) => failed.get(name)?.getTime() ?? 0;
  const isOver = ({ format, minuteAt }: LegacyFile) =>
    minuteAt.getTime() + (format === "custom" ? DAY_MS : 0) <= now.getTime();
  return legacy
    .filter((file) => file.damage === undefined && file.decision?.isDecided !== false && isOver(file))
    .toSorted(
      (a, b) =>
        failedMs(a) - failedMs(b) ||
        b.minuteAt.getTime() - a.minuteAt.getTime() ||
        (a.name < b.name ? -1 : 1),
    )
    .slice(0, limit);
}

/**
 * The place of an adopted file in the order of its database: the number of the last backup that had ended when it
 * began, or 0. The same number and a later end put it right behind that one, and no backup need be renumbered.
 */
function adoptedSequence(file: LegacyFile, backups: readonly Backup[]): number {
  return backups
    .filter(({ database, finishedAt }) => database === file.database && finishedAt <= file.minuteAt)
    .reduce((last, { sequence }) => Math.max(last, sequence), 0);
}

/** What can be said of a file of the old pod without a server. */
export function describeAdopted(
  file: LegacyFile,
  { sizeBytes, sha256, dump, versions }: LegacyContents,
  backups: readonly Backup[],
  { run, now }: Adoption,
): BackupManifest {
  const { name, database, format } = file;
  const at = file.minuteAt.toISOString();
  const tables = dump.tables.map(({ schema, name: table, rows }) => ({ schema, name: table, rows }));
  return {
    formatVersion: 1,
    name,
    database,
    sequence: adoptedSequence(file, backups),
    startedAt: at,
    finishedAt: at,
    elapsedMs: 0,
    run,
    trigger: { source: "legacy", id: name },
    versions: { dormouse: version, ...versions },
    archive: {
      format,
      compression: format === "gzip-sql" ? "gzip" : format === "custom" ? "unknown" : "none",
      sizeBytes,
      sha256,
      plainBytes: dump.plainBytes,
    },
    content: {
      databaseBytes: 0,
      tables,
      rows: totalRows(tables),
      largeObjects: dump.largeObjects,
      extensions: dump.needs.extensions.map((extension) => ({ name: extension, version: "unknown" })),
    },
    lacks: listOmissions(dump),
    warnings: [...listWarnings(dump), ...decisionWarning(file)],
    verification: { level: "read", at: now.toISOString() },
    restoreByHand: restoreByHand(name, database, { format, loadedBytes: dump.rolesFrom }),
  };
}

/** As a file would stand in the catalog once it was adopted: for a plan of what would become of it. Nothing is read. */
export function asAdopted(file: LegacyFile, backups: readonly Backup[]): Backup {
  const dump = {
    tables: [],
    plainBytes: 0,
    largeObjects: 0,
    needs: NO_NEEDS,
    makes: MAKES_NOTHING,
    metaCommands: [],
    isComplete: true,
  };
  const versions = { server: "unknown", pgDump: "unknown" };
  const contents = { sizeBytes: file.sizeBytes, sha256: "0".repeat(64), dump, versions };
  return toBackup(describeAdopted(file, contents, backups, { run: "cull-planned", now: file.minuteAt }));
}

/** A dump has neither; it says only that they must be there. */
function listOmissions({ needs }: LegacyContents["dump"]): BackupManifest["lacks"] {
  return (["roles", "tablespaces"] as const)
    .filter((kind) => needs[kind].length > 0)
    .map((kind) => ({
      kind,
      data: false,
      names: needs[kind].map(identifier),
      detail: `${kind} of the server that the script names`,
    }));
}

function decisionWarning({ database, decision }: LegacyFile): string[] {
  return decision === undefined ? [] : [`taken for a backup of ${JSON.stringify(database)}: ${decision.how}`];
}

function listWarnings({ metaCommands, rolesFrom }: LegacyContents["dump"]): string[] {
  return [
    "adopted from the old pod: its times are those of its name, and what it lacks is unknown",
    ...(metaCommands.length === 0
      ? []
      : [`it holds commands that psql would run: ${metaCommands.join(", ")}`]),
    ...(rolesFrom === undefined
      ? []
      : [
          "the roles of the server follow the dump: they are not loaded, and createRoles makes those that the dump names",
        ]),
  ];
}
