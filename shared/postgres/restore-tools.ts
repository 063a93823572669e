import type { LoadRequest, LoadChoice } from "./load/load-choice.ts";
import { replaceContent, type ReplaceRequest, type ReplacingSession } from "./databases/replace-content.ts";
import type { ClientTools } from "./client-tools.ts";
import type { LoadOptions } from "./load-tool.ts";
import { loadCustom, loadStatistics } from "./pg-restore.ts";
import { readMakes } from "./plain-dump/archive-makes.ts";
import { loadPlain } from "./psql.ts";
import { readArchive } from "./read-archive.ts";
import { readBack, type ReadBackRequest } from "./load/read-back.ts";
import type { Libpq } from "./session/libpq.ts";

export type RestoreTools = ReturnType<typeof restoreTools>;

/** pg_restore and psql of one release, the server's. */
export function restoreTools(tools: ClientTools, libpq: Libpq, options: LoadOptions) {
  const { version, warning, unsafeBefore } = tools;
  const loader = { tools, libpq, options };
  return {
    version,
    warning,
    unsafeBefore,
    /** Reads an archive of format `custom` to its end. */
    read: (archive: AsyncIterable<Uint8Array>, signal: AbortSignal) =>
      readArchive(tools, archive, options, signal),
    /** What an archive of format `custom` makes and needs, by its beginning. Throws `archive_damaged`. */
    contents: (begin: () => AsyncIterable<Uint8Array>, choice: LoadChoice, signal: AbortSignal) =>
      readMakes(tools, begin, choice, signal),
    /** Loads into an empty database and stops at the first error. Throws `restore_failed`. */
    load: (request: LoadRequest, signal: AbortSignal): Promise<void> =>
      request.format === "custom" ? loadCustom(loader, request, signal) : loadPlain(loader, request, signal),
    /** Reads the values of a database that was loaded, and reports how many bytes have come. Throws `restore_failed`. */
    readBack: (request: ReadBackRequest, report: (bytes: number) => void, signal: AbortSignal) =>
      readBack(loader, request, report, signal),
    /**
     * Replaces all that a database holds by an archive of format `custom`, in one transaction. `alone` is called with
     * the session that will do it, before that changes anything. Throws `restore_failed`, with nothing changed.
     */
    replace: (
      request: ReplaceRequest,
      alone: (session: ReplacingSession) => Promise<void>,
      signal: AbortSignal,
    ) => replaceContent(loader, request, alone, signal),
    /** What `load` does by itself, and `replace` cannot in its transaction. It fails nothing. */
    statistics: (request: Omit<LoadRequest, "jobs">, signal: AbortSignal) =>
      loadStatistics(loader, request, signal),
  };
}
