import type { Log } from "../../shared/log.ts";
import type { RetentionPolicy } from "../../shared/retention/retention-policy.ts";
import type { InTurn } from "../../shared/waiting.ts";
import { isDenied } from "../../shared/catalog/volume/files.ts";
import { parseArchiveName } from "../../shared/catalog/archive-name.ts";
import { findOwn, type OwnPlace } from "./own-backups.ts";
import { readCullJournal, type CullJournal } from "./cull-journal.ts";
import { toRemoval, type CullOutcome, type Removal } from "./cull-report.ts";
import { reasonToStay, type CullPlan, type RemovedBackup } from "./retention/retention.ts";
import type { RunContext, RunStore } from "../../shared/run/run.ts";
import { asDormouseError, DormouseError, type ErrorCode } from "../../shared/errors.ts";

/** One place, and what removing from it needs. */
export type CulledPlace = OwnPlace & {
  readonly runs: Pick<RunStore, "inUse">;
  readonly log: Log;
  /** A backup is not pinned in the moment in which it is removed. */
  readonly mutex: InTurn;
};

export type CullRequest = {
  readonly policy: RetentionPolicy;
  /** Of one run; what is left goes with the next ones. */
  readonly maxRemovals: number;
  readonly dryRun: boolean;
};

/** A cull that stopped has removed something nevertheless: the error carries that too. */
export class CullStopped extends DormouseError {
  readonly removed: readonly Removal[];

  constructor(
    code: ErrorCode,
    message: string,
    details: ErrorOptions & { hint?: string | undefined },
    removed: readonly Removal[],
  ) {
    super(code, message, details);
    this.removed = removed;
  }
}

type Done = Pick<CullOutcome, "removed" | "remaining">;

const OVER_LIMIT = "this run has removed as many as it may";

/**
 * Oldest first: a cull that stops half-way has removed only what mattered least. The first failure stops it, unless it is of that
 * one alone: a folder of another user would keep all younger backups, night after night, until the volume is full. For that reason
 * it takes nothing of the limit, and neither does what a legal hold keeps.
 */
export async function removePlanned(
  deps: CulledPlace,
  { maxRemovals }: CullRequest,
  context: RunContext,
  plans: readonly CullPlan[],
): Promise<Done> {
  const waiting = plans
    .flatMap(({ remove }) => remove)
    .toSorted((a, b) => a.backup.startedAt.getTime() - b.backup.startedAt.getTime());
  const doing: Doing = { planned: waiting.length, removed: [], remaining: [], denied: [] };
  const { planned, removed, remaining, denied } = doing;
  for (;;) {
    const hidden = remaining.filter(({ why }) => why === HELD.hidden);
    const now = waiting.splice(0, maxRemovals - removed.length - hidden.length);
    if (now.length === 0) break;
    await context.amend({ journal: toJournal(deps, context, now) });
    for (const each of now) await removeNext(deps, context, each, doing);
  }
  if (denied.length > 0) throw stopped(denied, removed, planned);
  const later = waiting.map(({ backup: { name } }) => ({ name, why: OVER_LIMIT }));
  return { removed, remaining: [...later, ...remaining] };
}

type Doing = {
  readonly planned: number;
  readonly removed: Removal[];
  readonly remaining: { readonly name: string; readonly why: string }[];
  readonly denied: Failed[];
};

async function removeNext(
  deps: CulledPlace,
  { run, signal, progress }: RunContext,
  each: RemovedBackup,
  { planned, removed, remaining, denied }: Doing,
): Promise<void> {
  try {
    signal.throwIfAborted();
    const why = await deps.mutex(() => removeOne(deps, each, signal));
    if (why !== undefined) {
      remaining.push({ name: each.backup.name, why });
      return;
    }
  } catch (error) {
    const failed = { error, each };
    if (!(await isKept(deps, failed, signal))) throw stopped([failed], removed, planned);
    denied.push(failed);
    return;
  }
  const removal = toRemoval(each);
  removed.push(removal);
  const { name, sizeBytes, reason } = removal;
  deps.log.info("backup removed", { run: run.id, backup: name, sizeBytes, reason });
  progress({ removed: name, reason });
}

const GONE = "it was gone already";
/** An object that a store holds on to is kept, whatever was planned. */
const HELD = {
  changed: "it was marked in this moment",
  locked: "an object lock or a legal hold keeps it",
  hidden: "the bucket keeps versions: it is out of sight, and its bytes are still there",
} as const;

/** Why it was not removed, if so. Pins and runs are looked at once more, right before the manifest goes. */
async function removeOne(
  deps: CulledPlace,
  { backup: { name }, backup }: RemovedBackup,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { place, catalog, runs } = deps;
  const found = await findOwn(deps, name, signal);
  if (found === undefined) return GONE;
  const reason = reasonToStay(backup, found, await runs.inUse());
  if (reason !== undefined) return reason;
  try {
    const removal = await catalog.remove(name, signal, found.manifest);
    if (removal !== "removed") return HELD[removal];
  } catch (error) {
    if (asDormouseError(error).code === "backup_not_found") return GONE;
    throw error;
  }
  if ((await catalog.find(name, signal)) === undefined) return undefined;
  const code = place === "volume" ? "volume_unwritable" : "mirror_checksum_mismatch";
  throw new DormouseError(code, `${name} is still there after it was removed`, {
    hint: `check the ${place}: it says that it removes, and does not`,
  });
}

/**
 * A run that was killed may have removed a manifest and not its archive. Resumed, it removes the archives that its
 * record names; nothing else does, since an archive without a manifest may be anyone's.
 */
export async function finishRemovals(
  { place, catalog, log }: CulledPlace,
  { run, signal }: RunContext,
): Promise<void> {
  for (const { name, sizeBytes } of readCullJournal(run.journal)[place] ?? []) {
    const archive = parseArchiveName(name)?.name;
    if (archive !== undefined && (await catalog.finishRemoval(archive, sizeBytes, signal)))
      log.info("removal finished", { run: run.id, backup: name, sizeBytes });
  }
}

/** What an earlier attempt was removing from the other place is kept: this run may not have got there yet. */
function toJournal(
  { place }: CulledPlace,
  { run }: RunContext,
  removals: readonly RemovedBackup[],
): CullJournal {
  const removing = removals.map(({ backup: { name, sizeBytes } }) => ({ name, sizeBytes }));
  return { ...readCullJournal(run.journal), [place]: removing };
}

type Failed = { readonly error: unknown; readonly each: RemovedBackup };

/** Whether another user keeps all of it from being removed: one that has lost its manifest must not be followed by others. */
async function isKept(
  { catalog }: CulledPlace,
  { error, each: { backup } }: Failed,
  signal: AbortSignal,
): Promise<boolean> {
  return (
    isDenied(asDormouseError(error).cause) &&
    (await catalog.find(backup.name, signal).catch(() => undefined)) !== undefined
  );
}

function stopped(
  [first, ...others]: readonly Failed[],
  removed: readonly Removal[],
  planned: number,
): CullStopped {
  const { code, message, hint } = asDormouseError(first?.error);
  const names = removed.map(({ name }) => name).join(", ");
  const done =
    removed.length === 0 ? "nothing was removed" : `removed ${removed.length} of ${planned} (${names})`;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  const text = `the cull stopped at ${first?.each.backup.name}${more}: ${message}; ${done}`;
  return new CullStopped(code, text, { hint, cause: first?.error }, removed);
}
