import type { LoadRequest } from "./databases/load-choice.ts";
import { chosen, entryLists, usingList, type UsedList } from "./archive-list.ts";
import { INHERITED } from "./process/child-process.ts";
import { hasStatistics } from "./archive-format.ts";
import { BESIDE, startLoad, type Loader } from "./load-tool.ts";

/**
 * `pg_restore` into an empty database with several connections, unless it is asked to do one thing after the other.
 * Subscriptions stay out: they would start to replicate, and a database that has one can hardly be dropped. Row security,
 * which comes behind the rows, stays as it is for the owner of a materialized view: switched off, it would refuse to
 * fill that again.
 */
export async function loadCustom(loader: Loader, request: LoadRequest, signal: AbortSignal): Promise<void> {
  await using lists = await entryLists(loader, request, signal);
  await loadEntries(loader, request, lists.content, signal);
  if (lists.eventTriggers !== undefined) await loadEntries(loader, request, lists.eventTriggers, signal);
  await loadStatistics(loader, request, signal);
}

async function loadEntries(
  loader: Loader,
  { database, file, settings, jobs, choice }: LoadRequest,
  list: UsedList,
  signal: AbortSignal,
): Promise<void> {
  const { libpq } = loader;
  const running = startLoad(
    loader,
    "pg_restore",
    {
      database,
      settings: { ...settings, ...BESIDE },
      arguments: [
        "--exit-on-error",
        // Without it no error tells the entry that it is of.
        "--verbose",
        "--no-subscriptions",
        "--enable-row-security",
        ...withoutStatistics(loader),
        "--no-password",
        ...chosen(choice),
        ...usingList(list),
        `--jobs=${jobs}`,
        `--dbname=${libpq.conninfo(database)}`,
        INHERITED,
      ],
      inherits: file.fd,
    },
    signal,
  );
  running.stdin.end();
  for await (const _ of running.output) continue;
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
  { database, file, format, settings, choice }: Omit<LoadRequest, "jobs">,
  signal: AbortSignal,
): Promise<void> {
  if (format !== "custom" || choice.leaveOut !== undefined || !hasStatistics(loader.tools.major)) return;
  const running = startLoad(
    loader,
    "pg_restore",
    {
      database,
      settings: { ...settings, ...BESIDE },
      arguments: [
        "--statistics-only",
        "--no-password",
        `--dbname=${loader.libpq.conninfo(database)}`,
        INHERITED,
      ],
      inherits: file.fd,
    },
    signal,
  );
  running.stdin.end();
  await running.drain(() => undefined).catch(() => signal.throwIfAborted());
}
