import { startLoad, type Loader } from "../load-tool.ts";
import { leftOut } from "../pg-dump.ts";
import type { Omission } from "../lacks.ts";
import type { Settings } from "../properties/database-properties.ts";
import { plainDumpScanner, type ColumnsOf, type PlainDump } from "../plain-dump/plain-dump.ts";

export type ReadBackRequest = {
  readonly database: string;
  /** Of the dump that was loaded, with what its values were written under. */
  readonly encoding: string;
  readonly settings: Settings;
  readonly columnsOf: ColumnsOf;
  /** What this role may not read, or not whole. */
  readonly lacks: readonly Omission[];
};

/**
 * The values of a database that was loaded, as a dump of it has them. pg_dump writes them, as it did the first time: no setting of a
 * session of ours could come between the two.
 */
export async function readBack(
  loader: Loader,
  { database, encoding, settings, columnsOf, lacks }: ReadBackRequest,
  report: (bytes: number) => void,
  signal: AbortSignal,
): Promise<PlainDump> {
  const dump = startLoad(
    loader,
    "pg_dump",
    {
      database,
      settings,
      arguments: [
        "--data-only",
        "--format=plain",
        "--no-password",
        `--encoding=${encoding}`,
        ...lacks.filter(({ data }) => data).flatMap((lack) => leftOut(loader.tools.major, lack)),
        `--dbname=${loader.libpq.conninfo(database)}`,
      ],
    },
    signal,
  );
  dump.stdin.end();
  const scanner = plainDumpScanner(columnsOf);
  let bytes = 0;
  await dump.drain((piece) => {
    bytes += piece.length;
    report(bytes);
    scanner.push(piece);
  });
  return scanner.end();
}
