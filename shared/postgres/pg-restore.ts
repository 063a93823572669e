import type { LoadRequest } from "./databases/load-choice.ts";
import { chosen, entryLists, usingList, type UsedList } from "./archive-list.ts";
import { INHERITED } from "./process/child-process.ts";
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
