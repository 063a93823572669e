import type { ArchiveName } from "../catalog/archive-name.ts";
import type { ExcludedTable } from "../postgres/exclusions/excluded-tables.ts";
import { isReadable } from "../postgres/properties/database-properties.ts";
import { HASHING } from "../postgres/plain-dump/copy-rows.ts";
import { tableKey, totalRows } from "../postgres/plain-dump/plain-dump.ts";
import type { Backup } from "../catalog/backup.ts";
import { chooseCompression } from "../postgres/pg-dump.ts";
import type { ArchiveContents } from "../postgres/read-archive.ts";
import type { BackupManifest } from "../catalog/manifest.ts";
import { DormouseError } from "../errors.ts";
import { dumpArchive, type Dumped, type Preflight } from "./dump-archive.ts";
import { restoreByHand } from "../catalog/restore-by-hand.ts";
import { version } from "../version.ts";
import type { TakingBackup } from "./taking-backup.ts";

/** Dumps, and publishes what was proved of it; see `dumpArchive`. */
export async function dumpAndPublish(taking: TakingBackup, preflight: Preflight): Promise<Backup> {
  const { signal, step } = taking;
  const begun = { at: new Date(), ms: performance.now() };
  using children = endOfChildren(signal);
  const { staged, ...dumped } = await dumpArchive(taking, preflight, {
    startedAt: begun.at,
    signal: children.signal,
  });
  try {
    await step("dumped", { sizeBytes: staged.sizeBytes, sha256: staged.sha256 });
    const contents = await dumped.contents;
    await step("verified", {
      tables: contents.tables.length,
      rows: totalRows(contents.tables),
      plainBytes: contents.plainBytes,
    });
    signal.throwIfAborted();
    const facts = { ...preflight, ...dumped, contents, staged, begun };
    const sign = taking.sign ?? ((manifest) => manifest);
    const backup = await staged.publish((name) => sign(describe(taking, { name, ...facts })));
    await step("published", { backup: backup.name });
    return backup;
  } finally {
    await staged.discard();
  }
}

/** Client tools must not outlive what they were started for, not even where their output was never read. */
function endOfChildren(signal: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void } {
  const ended = new AbortController();
  return {
    signal: AbortSignal.any([signal, ended.signal]),
    [Symbol.dispose]: () =>
      ended.abort(new DormouseError("interrupted", "what it was started for has ended")),
  };
}

type Facts = Preflight &
  Omit<Dumped, "contents"> & {
    readonly name: ArchiveName;
    readonly contents: ArchiveContents;
    readonly begun: { readonly at: Date; readonly ms: number };
  };

function describe({ request, run, encryption }: TakingBackup, facts: Facts): BackupManifest {
  const { name, begun, inspection, newest } = facts;
  const { formerly, ...known } = facts.origin;
  const finishedAt = new Date();
  const { source, id, at } = run.trigger;
  return {
    formatVersion: 1,
    name,
    database: request.database,
    sequence: facts.sequence,
    startedAt: begun.at.toISOString(),
    finishedAt: finishedAt.toISOString(),
    elapsedMs: Math.round(performance.now() - begun.ms),
    run: run.id,
    trigger: { source, id, ...(at === undefined ? {} : { at: at.toISOString() }) },
    ...(request.label === undefined ? {} : { label: request.label }),
    origin: { ...known, ...(formerly === undefined ? {} : { formerly: [...formerly] }) },
    ...(request.pin === undefined
      ? {}
      : { pin: { at: finishedAt.toISOString(), by: source, reason: request.pin } }),
    versions: { dormouse: version, pgDump: facts.tools.version, server: inspection.serverVersion },
    ...readContent(facts, encryption?.recipients),
    properties: inspection.properties,
    roles: [...inspection.roles],
    settings: inspection.settings,
    ...readExcluded(request, facts),
    lacks: inspection.lacks.map((lack) => ({ ...lack, names: [...lack.names] })),
    warnings: [
      ...inspection.warnings,
      ...notExcluded(facts),
      ...facts.warnings(),
      ...clockWarnings(begun.at, newest),
    ],
    verification: { level: "read", at: finishedAt.toISOString() },
    restoreByHand: restoreByHand(name, request.database, {
      ...inspection,
      format: facts.encrypted === undefined ? "custom" : "encrypted",
    }),
  };
}

function readExcluded({ exclude }: TakingBackup["request"], facts: Facts): Pick<BackupManifest, "excluded"> {
  if (exclude === undefined) return {};
  const tables = facts.inspection.excluded.tables.filter(withoutRows(facts));
  const { by, patterns } = exclude;
  return { excluded: { by, patterns: [...patterns], tables: tables.map((table) => ({ ...table })) } };
}

/** pg_dump takes a pattern in the encoding of the database, and its arguments are in UTF-8; or the table was renamed meanwhile. */
function notExcluded(facts: Facts): string[] {
  const isWithout = withoutRows(facts);
  const { unmatched, tables } = facts.inspection.excluded;
  return [
    ...unmatched.map((pattern) => `the pattern ${pattern} leaves out no table's rows`),
    ...tables
      .filter((table) => !isWithout(table))
      .map(
        ({ schema, name }) =>
          `the rows of ${schema}.${name} are in the backup: pg_dump found no table of that name to leave out`,
      ),
  ];
}

/** Tells of a table that was to be excluded whether the archive has no rows of it. */
function withoutRows({ contents }: Facts): (table: ExcludedTable) => boolean {
  const dumped = new Set(contents.tables.map(tableKey));
  return (table) => isReadable(tableKey(table)) && !dumped.has(tableKey(table));
}

function readContent(
  { tools, contents, staged, inspection, encrypted, hasOffsets }: Facts,
  recipients: readonly string[] = [],
): Pick<BackupManifest, "archive" | "content"> {
  const { sizeBytes, sha256 } = staged;
  const encryption = encrypted && { recipients: [...recipients], decrypted: encrypted.plain() };
  const { plainBytes, tables, ...values } = contents;
  return {
    archive: {
      format: "custom",
      compression: chooseCompression(tools),
      offsets: hasOffsets,
      ...encryption,
      sizeBytes,
      sha256,
      plainBytes,
    },
    content: {
      databaseBytes: inspection.databaseBytes,
      hashing: HASHING,
      ...values,
      tables: tables.map(({ columns, ...table }) => ({
        ...table,
        ...(columns === undefined ? {} : { columns: [...columns] }),
      })),
      rows: totalRows(tables),
      extensions: inspection.extensions.map((extension) => ({ ...extension })),
    },
  };
}

/** The sequence keeps the order; that the clock stepped is for a person to know. */
function clockWarnings(startedAt: Date, newest: Backup | undefined): string[] {
  if (newest === undefined || startedAt >= newest.finishedAt) return [];
  return [`the clock was set back: the backup before this one ended at ${newest.finishedAt.toISOString()}`];
}
