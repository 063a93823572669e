import type { ArchiveName } from "../catalog/archive-name.ts";
import { totalRows } from "../postgres/plain-dump/plain-dump.ts";
import type { Backup } from "../catalog/backup.ts";
import type { StagedArchive } from "../catalog/catalog.ts";
import type { ClientTools } from "../postgres/client-tools.ts";
import { chooseCompression, startDump, type RunningDump } from "../postgres/pg-dump.ts";
import { readArchive, type ArchiveContents } from "../postgres/read-archive.ts";
import type { EncryptedArchive } from "../catalog/encryption.ts";
import type { DatabaseInspection } from "../postgres/preflight.ts";
import type { BackupManifest } from "../catalog/manifest.ts";
import type { Origin } from "../catalog/origin.ts";
import { DormouseError } from "../errors.ts";
import { archiveBytesExpected } from "./space.ts";
import { restoreByHand } from "../catalog/restore-by-hand.ts";
import { toldProgress } from "../run/progress.ts";
import { version } from "../version.ts";
import type { TakingBackup } from "./taking-backup.ts";

type Preflight = {
  readonly inspection: DatabaseInspection;
  readonly tools: ClientTools;
  /** The backup before this one. */
  readonly newest: Backup | undefined;
  readonly sequence: number;
  readonly origin: Origin;
};

/**
 * One stream: pg_dump, then pg_restore reading along, then the volume. The same bytes, by their hash, were read to
 * their end by pg_restore and read back from the volume; that is what makes the backup `read`.
 */
export async function dumpAndPublish(taking: TakingBackup, preflight: Preflight): Promise<Backup> {
  const { inspection, tools } = preflight;
  const { request, run, signal, step, libpq, dumpOptions, encryption } = taking;
  const { database } = request;
  const begun = { at: new Date(), ms: performance.now() };
  const leaveOut = inspection.lacks.filter(({ kind, data }) => data && request.allowIncomplete.has(kind));

  using children = endOfChildren(signal);
  const asked = { database, inspection, leaveOut };
  const dump = startDump(tools, libpq, dumpOptions, { request: asked, signal: children.signal });
  const reading = readArchive(tools, dump.archive, dumpOptions, children.signal);
  const encrypted = encryption?.encrypt(reading.archive);
  const draft = { database, run: run.id, startedAt: begun.at };
  const archive = told(taking, preflight, encrypted?.archive ?? reading.archive);
  const staged = await taking.catalog.stage(draft, archive, signal);
  try {
    await step("dumped", { sizeBytes: staged.sizeBytes, sha256: staged.sha256 });
    const contents = await reading.contents;
    await step("verified", {
      tables: contents.tables.length,
      rows: totalRows(contents.tables),
      plainBytes: contents.plainBytes,
    });
    signal.throwIfAborted();
    const facts = { ...preflight, dump, contents, staged, begun, encrypted };
    const sign = taking.sign ?? ((manifest) => manifest);
    const backup = await staged.publish((name) => sign(describe(taking, { name, ...facts })));
    await step("published", { backup: backup.name });
    return backup;
  } finally {
    await staged.discard();
  }
}

/** Tells the caller how far the dump is. */
function told(
  { request, progress }: TakingBackup,
  preflight: Preflight,
  archive: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const passing = { what: { dumping: request.database }, expectedBytes: expectedBytes(preflight) };
  return toldProgress(archive, passing, progress);
}

function expectedBytes({ inspection, newest }: Preflight): number | undefined {
  if (newest === undefined) return undefined;
  const { sizeBytes, manifest } = newest;
  const last = { sizeBytes, databaseBytes: manifest.content.databaseBytes };
  return archiveBytesExpected(inspection.databaseBytes, last);
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

type Facts = Preflight & {
  readonly name: ArchiveName;
  readonly dump: RunningDump;
  readonly contents: ArchiveContents;
  readonly staged: StagedArchive;
  readonly encrypted: EncryptedArchive | undefined;
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
    lacks: inspection.lacks.map((lack) => ({ ...lack, names: [...lack.names] })),
    warnings: [...inspection.warnings, ...facts.dump.warnings(), ...clockWarnings(begun.at, newest)],
    verification: { level: "read", at: finishedAt.toISOString() },
    restoreByHand: restoreByHand(name, request.database, {
      ...inspection,
      format: facts.encrypted === undefined ? "custom" : "encrypted",
    }),
  };
}

function readContent(
  { tools, contents, staged, inspection, encrypted }: Facts,
  recipients: readonly string[] = [],
): Pick<BackupManifest, "archive" | "content"> {
  const { sizeBytes, sha256 } = staged;
  const encryption = encrypted && { recipients: [...recipients], decrypted: encrypted.plain() };
  const { plainBytes, largeObjects } = contents;
  return {
    archive: {
      format: "custom",
      compression: chooseCompression(tools),
      ...encryption,
      sizeBytes,
      sha256,
      plainBytes,
    },
    content: {
      databaseBytes: inspection.databaseBytes,
      tables: contents.tables.map((table) => ({ ...table })),
      rows: totalRows(contents.tables),
      largeObjects,
      extensions: inspection.extensions.map((extension) => ({ ...extension })),
    },
  };
}

/** The sequence keeps the order; that the clock stepped is for a person to know. */
function clockWarnings(startedAt: Date, newest: Backup | undefined): string[] {
  if (newest === undefined || startedAt >= newest.finishedAt) return [];
  return [`the clock was set back: the backup before this one ended at ${newest.finishedAt.toISOString()}`];
}
