import { expectedTables, type LoadChoice } from "../../../shared/postgres/load/load-choice.ts";
import type { ArchiveFile, ArchiveFiles } from "../../../shared/catalog/archives/archive-file.ts";
import { totalRows, type TableRows } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { Restorable } from "../plan/restorable.ts";
import type { ArchiveDemands } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { RestoreTools } from "../../../shared/postgres/restore-tools.ts";
import type { RunContext } from "../../../shared/run/run.ts";
import { DormouseError } from "../../../shared/errors.ts";

/** What is loaded, how, and by which client tools. */
export type Load = {
  readonly backup: Restorable;
  readonly choice: LoadChoice;
  readonly tools: RestoreTools;
};

export type VerifiedArchive = {
  readonly file: ArchiveFile;
  /** Those whose rows are to be loaded, as the archive itself has them. */
  readonly tables: readonly TableRows[];
  /** What it names and makes. */
  readonly demands: ArchiveDemands;
  /** Where something follows in a file of SQL that is not to be loaded. */
  readonly loadedBytes?: number | undefined;
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * Reads the whole archive before its first byte reaches a server: by its hash, by the tool that will load it
 * unless that has been done, and by the rows that its manifest promises. The caller disposes of the file. Throws `archive_damaged`.
 */
export async function verifyArchive(
  files: ArchiveFiles,
  { backup, choice, tools }: Load,
  { signal, step }: Pick<RunContext, "signal" | "step">,
): Promise<VerifiedArchive> {
  const file = await files.open(backup, signal);
  try {
    const { tables, demands, loadedBytes } =
      backup.format === "custom"
        ? {
            tables: await readCustom(tools, file, backup, signal),
            demands: await tools.contents(() => file.bytes(), choice, signal),
            loadedBytes: undefined,
          }
        : await readPlain(files, file, backup, signal);
    await step("verified", { backup: backup.name, tables: tables.length, rows: totalRows(tables) });
    const expected = [...expectedTables(tables, demands.leftOut), ...expectedEmpty(backup, demands.leftOut)];
    return {
      file,
      tables: expected,
      demands,
      loadedBytes,
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/** Dumped without their rows, and so loaded without any. */
function expectedEmpty({ manifest }: Restorable, leftOut: readonly string[]): TableRows[] {
  return (manifest?.excluded?.tables ?? [])
    .filter(({ schema, name }) => !leftOut.some((entry) => entry.startsWith(`TABLE ${schema} ${name} `)))
    .map(({ schema, name }) => ({ schema, name, rows: 0 }));
}

/**
 * Bytes that hash to what pg_restore read to its end when they were written need not be read by it again. A file of the
 * old pod has no manifest that says so.
 */
async function readCustom(
  tools: RestoreTools,
  file: ArchiveFile,
  { name, manifest }: Restorable,
  signal: AbortSignal,
): Promise<readonly TableRows[]> {
  const tables = manifest?.content.tables ?? (await readToEnd(tools, file, signal));
  const promised = manifest?.content.rows;
  if (promised === undefined || promised === totalRows(tables)) return tables;
  throw new DormouseError(
    "archive_damaged",
    `${name} holds ${totalRows(tables)} rows, its manifest says ${promised}`,
    { hint: "restore another backup: GET / lists them" },
  );
}

async function readToEnd(
  tools: RestoreTools,
  file: ArchiveFile,
  signal: AbortSignal,
): Promise<readonly TableRows[]> {
  const reading = tools.read(file.bytes(), signal);
  for await (const _ of reading.archive) continue;
  return (await reading.contents).tables;
}

/** psql runs commands that stand in a script; pg_dump of the old pod never wrote one. */
async function readPlain(
  files: ArchiveFiles,
  file: ArchiveFile,
  backup: Restorable,
  signal: AbortSignal,
): Promise<Pick<VerifiedArchive, "tables" | "demands" | "loadedBytes">> {
  const { metaCommands, tables, needs, makes, rolesFrom } = await files.readPlain(backup, file, signal);
  if (metaCommands.length === 0)
    return {
      tables,
      demands: { needs, makes, leftOut: [], unknownEntries: [], oneDatabaseEntries: [] },
      loadedBytes: rolesFrom,
    };
  throw new DormouseError(
    "archive_damaged",
    `${backup.name} holds commands that psql would run: ${metaCommands.slice(0, 3).join(", ")}`,
    { hint: "read the file before you trust it; docs/restore-by-hand.md shows how to load it" },
  );
}
