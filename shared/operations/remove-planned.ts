import { parseArchiveName } from "../backup/archive-name.ts";
import { readCullJournal, type CullJournal } from "../backup/cull-journal.ts";
import { removalOf, type CullOutcome, type Removal } from "../backup/cull-report.ts";
import { mayStillGo, type CullPlan, type RemovedBackup } from "../backup/retention.ts";
import type { RunContext } from "../backup/run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import type { CullDependencies, CullRequest } from "./cull-backups.ts";

type Done = Pick<CullOutcome, "removed" | "remaining">;

const OVER_LIMIT = "this run has removed as many as it may";

/** Oldest first: a cull that stops half-way has removed only what mattered least. The first failure stops it. */
export async function removePlanned(
  deps: CullDependencies,
  { maxRemovals }: CullRequest,
  context: RunContext,
  plans: readonly CullPlan[],
): Promise<Done> {
  const planned = plans
    .flatMap(({ remove }) => remove)
    .toSorted((a, b) => a.backup.startedAt.getTime() - b.backup.startedAt.getTime());
  const [now, later] = [planned.slice(0, maxRemovals), planned.slice(maxRemovals)];
  const remaining = later.map(({ backup: { name } }) => ({ name: name as string, why: OVER_LIMIT }));
  if (now.length > 0) await context.amend({ journal: journalOf(deps, now) });

  const removed: Removal[] = [];
  for (const each of now) {
    try {
      context.signal.throwIfAborted();
      const why = await deps.exclusively(() => removeOne(deps, each));
      if (why !== undefined) {
        remaining.push({ name: each.backup.name, why });
        continue;
      }
    } catch (error) {
      throw stopped(error, each, { removed, planned: planned.length });
    }
    removed.push(removalOf(each));
    const { name, sizeBytes, reason } = removalOf(each);
    deps.log.info("backup removed", { run: context.run.id, backup: name, sizeBytes, reason });
    context.progress({ removed: name, reason });
  }
  return { removed, remaining };
}

/** Why it was not removed, if so. Pins and runs are looked at once more, right before the manifest goes. */
async function removeOne(
  { catalog, runs }: CullDependencies,
  { backup }: RemovedBackup,
): Promise<string | undefined> {
  const found = await catalog.find(backup.name);
  if (found === undefined) return "it was gone already";
  const decision = mayStillGo(backup, found, await runs.inUse());
  if (!decision.may) return decision.why;
  try {
    await catalog.remove(backup.name);
  } catch (error) {
    if (asDormouseError(error).code === "backup_not_found") return "it was gone already";
    throw error;
  }
  if ((await catalog.find(backup.name)) === undefined) return undefined;
  throw new DormouseError("volume_unwritable", `${backup.name} is still there after it was removed`, {
    hint: "check the volume: it says that it removes, and does not",
  });
}

/**
 * A run that was killed may have removed a manifest and not its archive. Taken up, it removes the archives that its
 * record names; nobody else does, since an archive without a manifest may be anyone's.
 */
export async function finishRemovals(
  { place, catalog, log }: CullDependencies,
  { run }: RunContext,
): Promise<void> {
  const journal = readCullJournal(run.journal);
  if (journal?.place !== place) return;
  for (const { name, sizeBytes } of journal.removing) {
    const archive = parseArchiveName(name)?.name;
    if (archive !== undefined && (await catalog.finishRemoval(archive, sizeBytes)))
      log.info("removal finished", { run: run.id, backup: name, sizeBytes });
  }
}

function journalOf({ place }: CullDependencies, removals: readonly RemovedBackup[]): CullJournal {
  return { place, removing: removals.map(({ backup: { name, sizeBytes } }) => ({ name, sizeBytes })) };
}

function stopped(
  error: unknown,
  { backup }: RemovedBackup,
  { removed, planned }: { readonly removed: readonly Removal[]; readonly planned: number },
): DormouseError {
  const { code, message, hint } = asDormouseError(error);
  const names = removed.map(({ name }) => name).join(", ");
  const done =
    removed.length === 0 ? "nothing was removed" : `removed ${removed.length} of ${planned} (${names})`;
  const text = `the cull stopped at ${backup.name}: ${message}; ${done}`;
  return new DormouseError(code, text, { hint, cause: error });
}
