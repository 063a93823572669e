import type { Backup } from "../catalog/backup.ts";
import type { BucketCatalog, Catalog } from "../catalog/catalog.ts";
import { planMirror } from "./mirror-plan.ts";
import type { KeepPolicy } from "../retention/retention-policy.ts";
import { isOwn, ownOrigins } from "../catalog/origin.ts";
import { withProgress } from "../run/progress.ts";
import type { RunContext } from "../run/run.ts";
import { asDormouseError, DormouseError, problemFrom, logged } from "../errors.ts";
import type { Log } from "../log.ts";
import { withTimeout } from "../waiting.ts";
import type { EventSink } from "../events/event-sink.ts";
import type { BackupEvent } from "./backup-events.ts";
import { announce } from "../events/announce.ts";

/** Where backups are mirrored, which of them, and how long a run may take for it. */
export type MirrorPolicy = {
  readonly mirror: BucketCatalog;
  readonly keep: KeepPolicy;
  readonly timeoutMs: number;
};

type MirrorDependencies = {
  readonly catalog: Catalog;
  /** Unset: there is no bucket. */
  readonly mirroring?: MirrorPolicy | undefined;
  readonly installation: { readonly namespace?: string | undefined };
  readonly events: EventSink;
  readonly log: Log;
};

/**
 * Sends what the bucket lacks of `database`, newest first. It never throws: the backups on the volume are good, whatever
 * becomes of their copies, so a failure is a step of the run, a line in the log and an event.
 */
export async function mirrorBackups(
  deps: MirrorDependencies,
  database: string,
  context: RunContext,
): Promise<void> {
  const { mirroring } = deps;
  if (mirroring === undefined) return;
  const progress = { copied: [], rewritten: 0, lacking: [] };
  const work = (signal: AbortSignal) =>
    catchUp(deps, mirroring, { database, context: { ...context, signal }, progress });
  try {
    await withTimeout(mirroring.timeoutMs, context.signal, work, late);
    await context.step("mirrored", { copied: progress.copied, rewritten: progress.rewritten });
  } catch (error) {
    await report(deps, { database, context, progress }, error);
  }
}

type Progress = { copied: Backup["name"][]; rewritten: number; lacking: Backup["name"][] };
type Task = { readonly database: string; readonly context: RunContext; readonly progress: Progress };

async function catchUp(
  { catalog, installation }: MirrorDependencies,
  { mirror, keep }: MirrorPolicy,
  { database, context, progress }: Task,
): Promise<void> {
  const { signal } = context;
  const onVolume = (await catalog.list(signal)).backups.filter((backup) => backup.database === database);
  const own = ownOrigins(installation.namespace, onVolume).get(database);
  const local = onVolume.filter((backup) => isOwn(own, backup));
  progress.lacking.push(...local.slice(0, 1).map(({ name }) => name));
  const plan = planMirror(local, (await mirror.list(signal)).backups, { keep, now: new Date() });
  progress.lacking.splice(0, Infinity, ...[...plan.copy, ...plan.conflicts].map(({ name }) => name));
  const wanted = new Set(plan.copy.map(({ name }) => name));
  const over = new Set(onVolume.map(({ name }) => name).filter((name) => !wanted.has(name)));
  await mirror.sweepUploads(database, { wanted, over }, signal);

  const problems: unknown[] = plan.conflicts.map(conflict);
  for (const backup of plan.copy) await copy(backup).catch(goOn(problems));
  for (const { manifest } of plan.rewrite) {
    await mirror.rewrite(manifest, signal).then(() => (progress.rewritten += 1), goOn(problems));
  }
  if (problems.length > 0) throw problems[0];

  async function copy(backup: Backup): Promise<void> {
    const passing = { what: { mirroring: backup.name }, expectedBytes: backup.sizeBytes };
    const open = async () =>
      withProgress(await catalog.open(backup.name, 0, signal), passing, context.progress);
    await mirror.copyIn(backup, open, signal);
    progress.copied.push(backup.name);
    progress.lacking.splice(progress.lacking.indexOf(backup.name), 1);
  }
}

/** What is wrong with one backup is no reason to leave out the others; what is wrong with the store is. */
function goOn(problems: unknown[]): (error: unknown) => void {
  return (error) => {
    const { code } = asDormouseError(error);
    if (!["archive_damaged", "mirror_checksum_mismatch", "backup_not_found"].includes(code)) throw error;
    problems.push(error);
  };
}

async function report(
  deps: MirrorDependencies,
  { database, context, progress }: Task,
  error: unknown,
): Promise<void> {
  const problem = problemFrom(error);
  const { copied, lacking } = progress;
  deps.log.error("mirror failed", { run: context.run.id, database, ...logged(problem), lacking });
  await context.step("mirror_failed", { copied, lacking, problem });
  announce(deps, context, {
    type: "dev.dormouse.mirror.failed",
    subject: lacking[0] ?? database,
    data: { run: context.run.id, database, copied, lacking, problem },
  } satisfies BackupEvent);
}

function conflict({ name }: Backup): DormouseError {
  return new DormouseError("mirror_conflict", `the bucket holds another backup named ${name}`, {
    hint: "does another namespace use this bucket? give each its own S3_PREFIX",
  });
}

function late(seconds: number, cause: unknown): DormouseError {
  return new DormouseError("mirror_timed_out", `mirroring took longer than ${Math.round(seconds / 60)} min`, {
    hint: "the next run goes on where this one stopped; MIRROR_TIMEOUT_MINUTES is the limit",
    cause,
  });
}
