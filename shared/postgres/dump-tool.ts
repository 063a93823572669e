import type { FindDumpTool } from "./dump.ts";
import { findClientTools } from "./client-tools.ts";
import type { Libpq } from "./session/libpq.ts";
import { compressionOf, startDump, type DumpOptions } from "./pg-dump.ts";
import { readArchive } from "./read-archive.ts";

/** pg_dump and pg_restore of the server's major, found anew for each run: a server may be upgraded in between. */
export function dumpToolFinder(
  libpq: Libpq,
  options: DumpOptions,
  place: { readonly binDir?: string | undefined; readonly searchPath: string },
): FindDumpTool {
  return async (serverMajor) => {
    const tools = await findClientTools(serverMajor, place.binDir, place.searchPath);
    return {
      version: tools.version,
      warning: tools.warning,
      compression: compressionOf(tools),
      dump: (request, signal) => startDump(tools, libpq, options, { request, signal }),
      read: (archive, signal) => readArchive(tools, archive, options, signal),
    };
  };
}
