import type { ArchiveDraft, ArchiveWriter, StagedArchive } from "../catalog/catalog.ts";
import type { EncryptedArchive } from "../catalog/encryption.ts";
import { DormouseError } from "../errors.ts";
import { listAlong, listContents } from "../postgres/archive-contents.ts";
import { startDump, startDumpInto, type Dumping } from "../postgres/pg-dump.ts";
import { readArchive, type ArchiveContents } from "../postgres/read-archive.ts";
import { withProgress } from "../run/progress.ts";
import type { ClientTools } from "../postgres/client-tools.ts";
import type { DatabaseInspection } from "../postgres/preflight.ts";
import type { Backup } from "../catalog/backup.ts";
import type { Origin } from "../catalog/origin.ts";
import { archiveBytesExpected, lastOf } from "./space.ts";
import type { TakingBackup } from "./taking-backup.ts";

/** What is known before a dump begins. */
export type Preflight = {
  readonly inspection: DatabaseInspection;
  readonly tools: ClientTools;
  /** The backup before this one. */
  readonly newest: Backup | undefined;
  readonly sequence: number;
  readonly origin: Origin;
};

/** An archive that lies on the volume under a temporary name, read along to its end and read back. */
export type Dumped = {
  readonly staged: StagedArchive;
  readonly contents: Promise<ArchiveContents>;
  /** What pg_dump has complained of. */
  readonly warnings: () => readonly string[];
  readonly encrypted: EncryptedArchive | undefined;
  /** Whether its table of contents has the offsets of each table's data. */
  readonly hasOffsets: boolean;
};

/** `signal` ends the client tools. */
type Work = Preflight & {
  readonly draft: ArchiveDraft;
  readonly dumping: Dumping;
  readonly signal: AbortSignal;
};

/**
 * pg_restore reads along what pg_dump writes: the bytes that it read to their end are those that are read back from the
 * volume, which is what makes the backup `read`. pg_dump writes the file itself, since it fills in offsets only where it can
 * go back; where we encrypt, or where a growing file cannot be followed, all goes through a pipe.
 */
export async function dumpArchive(
  taking: TakingBackup,
  preflight: Preflight,
  { startedAt, signal }: { readonly startedAt: Date; readonly signal: AbortSignal },
): Promise<Dumped> {
  const { request, run, libpq, dumpOptions, encryption } = taking;
  const { inspection, tools } = preflight;
  const { database } = request;
  const leaveOut = inspection.lacks.filter(({ kind, data }) => data && request.allowIncomplete.has(kind));
  const dumping = { tools, libpq, options: dumpOptions, request: { database, inspection, leaveOut } };
  const work = { ...preflight, dumping, draft: { database, run: run.id, startedAt }, signal };
  const written = encryption === undefined ? await writtenByDump(taking, work) : undefined;
  return written ?? throughPipe(taking, work);
}

async function writtenByDump(taking: TakingBackup, work: Work): Promise<Dumped | undefined> {
  const dumped = Promise.withResolvers<Pick<Dumped, "contents" | "warnings">>();
  const writer = dumpWriter(taking, work, dumped.resolve);
  const staged = await taking.catalog.stageWritten(work.draft, writer, taking.signal);
  if (staged === undefined) return undefined;
  return { ...(await dumped.promise), staged, encrypted: undefined, hasOffsets: true };
}

function dumpWriter(
  taking: TakingBackup,
  { dumping, draft, signal, ...preflight }: Work,
  begun: (dumped: Pick<Dumped, "contents" | "warnings">) => void,
): ArchiveWriter {
  const { tools, options } = dumping;
  let listed: Promise<string> | undefined;
  return {
    begin(fd, passing) {
      const dump = startDumpInto(fd, dumping, signal);
      const { archive, contents } = readArchive(tools, passing(dump), options, signal);
      begun({ contents, warnings: () => dump.stderr.lines() });
      const seen = listAlong(tools, reported(taking, preflight, archive), signal);
      listed = seen.listed;
      return seen.archive;
    },
    async checkContents(archive) {
      if ((await listContents(tools, archive, signal)) !== (await listed))
        throw otherContents(draft.database);
    },
  };
}

async function throughPipe(
  taking: TakingBackup,
  { dumping, draft, signal, ...preflight }: Work,
): Promise<Dumped> {
  const dump = startDump(dumping, signal);
  const { archive, contents } = readArchive(dumping.tools, dump.archive, dumping.options, signal);
  const encrypted = taking.encryption?.encrypt(archive);
  const passing = reported(taking, preflight, encrypted?.archive ?? archive);
  const staged = await taking.catalog.stage(draft, passing, taking.signal);
  return { staged, contents, warnings: dump.warnings, encrypted, hasOffsets: false };
}

/** Reports to the caller how far the dump is. */
function reported(
  { request, progress }: TakingBackup,
  { inspection, newest }: Pick<Preflight, "inspection" | "newest">,
  archive: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const expectedBytes = newest && archiveBytesExpected(inspection.databaseBytes, lastOf(newest));
  return withProgress(archive, { what: { dumping: request.database }, expectedBytes }, progress);
}

function otherContents(database: string): DormouseError {
  return new DormouseError(
    "archive_damaged",
    `the table of contents of the archive of ${JSON.stringify(database)} names other entries in the end than while it was written`,
    { hint: "take another backup; if it happens again, check the volume and the client tools" },
  );
}
