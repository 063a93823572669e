import type { LoadOptions } from "./load-tool.ts";
import type { LoadRequest, RestoreTools } from "./databases/restore-port.ts";
import type { ClientTools } from "./client-tools.ts";
import type { Libpq } from "./session/libpq.ts";
import { loadCustom } from "./pg-restore.ts";
import { loadPlain } from "./psql.ts";
import { readBack } from "./read-back.ts";
import { readArchive } from "./read-archive.ts";
import { readMakes } from "./plain-dump/archive-makes.ts";
import { replaceContent } from "./databases/replace-content.ts";

/** pg_restore and psql of one release. */
export function restoreTools(tools: ClientTools, libpq: Libpq, options: LoadOptions): RestoreTools {
  const given = { tools, libpq, options };
  return {
    version: tools.version,
    warning: tools.warning,
    unsafeBefore: tools.unsafeBefore,
    read: (archive, signal) => readArchive(tools, archive, options, signal),
    contents: (begin, choice, signal) => readMakes(tools, begin, choice, signal),
    load: (request: LoadRequest, signal) =>
      request.format === "custom" ? loadCustom(given, request, signal) : loadPlain(given, request, signal),
    readBack: (request, tell, signal) => readBack(given, request, tell, signal),
    replace: (request, alone, signal) => replaceContent(given, request, alone, signal),
  };
}
