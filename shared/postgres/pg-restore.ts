import type { LoadRequest } from "./load/load-choice.ts";
import { chosen, entryLists, usingList, type UsedList } from "./archive-list.ts";
import { hasStatistics } from "./client-tools.ts";
import { INHERITED, type RunningTool } from "./process/child-process.ts";
import { BESIDE, startLoad, type Loader } from "./load-tool.ts";

/**
 * `pg_restore` into an empty database with several connections, unless it is asked to do one thing after the other.
 * Subscriptions stay out: they would start to replicate, and a database that has one can hardly be dropped. Row security,
 * which comes behind the rows, stays as it is for the owner of a materialized view: switched off, it would refuse to
 * fill that again.
 */
export async function loadCustom(loader: Loader, request: LoadRequest, signal: AbortSignal): Promise<void> {
  await using lists = await entryLists(loader, request, signal);
  if (lists.before !== undefined) await loadEntries(loader, request, lists.before, signal);
  await loadEntries(loader, request, lists.content, signal);
  if (lists.eventTriggers !== undefined) await loadEntries(loader, request, lists.eventTriggers, signal);
  await loadStatistics(loader, request, signal);
}

async function loadEntries(
  loader: Loader,
  { jobs, choice, ...request }: LoadRequest,
  list: UsedList,
  signal: AbortSignal,
): Promise<void> {
  const how = [
    "--exit-on-error",
    // Without it no error names the entry that it is of.
    "--verbose",
    "--no-subscriptions",
    "--enable-row-security",
    ...withoutStatistics(loader),
    ...chosen(choice),
    ...usingList(list),
    `--jobs=${jobs}`,
  ];
  await startRestore(loader, request, how, signal).drain(() => undefined);
}

function startRestore(
  loader: Loader,
  { database, file, settings }: Pick<LoadRequest, "database" | "file" | "settings">,
  how: readonly string[],
  signal: AbortSignal,
): RunningTool {
  const into = ["--no-password", `--dbname=${loader.libpq.conninfo(database)}`, INHERITED];
  const running = startLoad(
    loader,
    "pg_restore",
    {
      database,
      settings: { ...settings, ...BESIDE },
      arguments: [...how, ...into],
      inherits: file.fd,
    },
    signal,
  );
  running.stdin.end();
  return running;
}

/** They are loaded apart from the content: an error in one of them must fail nothing. */
export function withoutStatistics({ tools }: Pick<Loader, "tools">): string[] {
  return hasStatistics(tools.major) ? ["--no-statistics"] : [];
}

/**
 * The planner's statistics, where an archive has them, after the content. The server refuses them to a role that may not
 * MAINTAIN a table, and ANALYZE makes what is missing: whatever goes wrong here is none of a restore's faults. Statistics do not
 * know which entries a caller leaves out, so then there are none.
 */
export async function loadStatistics(
  loader: Loader,
  { format, choice, ...request }: Omit<LoadRequest, "jobs">,
  signal: AbortSignal,
): Promise<void> {
  if (format !== "custom" || choice.leaveOut !== undefined || !hasStatistics(loader.tools.major)) return;
  const running = startRestore(loader, request, ["--statistics-only"], signal);
  await running.drain(() => undefined).catch(() => signal.throwIfAborted());
}
