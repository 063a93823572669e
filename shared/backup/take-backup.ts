import { newestFirst, type Backup } from "../catalog/backup.ts";
import { remedyFor } from "../postgres/grants.ts";
import { intolerable, type DatabaseInspection } from "../postgres/inspection.ts";
import type { BackupManifest } from "../catalog/manifest.ts";
import { isOwn } from "../catalog/origin.ts";
import { isAhead } from "../retention/keep-rules.ts";
import { hiding } from "../retention/oddities.ts";
import { backoffMs, isTransient } from "../retry.ts";
import { isLeftToOthers, type RunContext } from "../run/run.ts";
import { estimateSpace } from "./space.ts";
import { asDormouseError, DormouseError, type Problem } from "../errors.ts";
import type { BackupDependencies, BackupRequest } from "./backup-request.ts";
import { dropExpired } from "../postgres/databases/drop-expired.ts";
import { dumpAndPublish } from "./dump-and-publish.ts";
import { holdForRun } from "./hold-for-run.ts";
import { mirrorBackups } from "./mirror-backups.ts";
import { nextSequence } from "./next-sequence.ts";
import { originNow } from "./origin-now.ts";
import { sweepLeftovers } from "../run/sweep-leftovers.ts";
import type { BackupEvent } from "./backup-events.ts";
import { announce } from "../events/announce.ts";

/**
 * Takes a backup, or answers with the one that this run or `ifOlderThanMs` makes needless; then sends what the bucket
 * lacks. The lock is free by then: a restore must not wait for an upload.
 */
export async function takeBackup(
  deps: BackupDependencies,
  request: BackupRequest,
  context: RunContext,
): Promise<BackupManifest> {
  try {
    const manifest = await withRetries(deps, request, context);
    if (request.leavesMirror !== true) await mirrorBackups(deps, request.database, context);
    return manifest;
  } catch (error) {
    const isOurs = !context.signal.aborted && !isLeftToOthers(asDormouseError(error).code);
    if (isOurs) announceFailure(deps, request.database, context, asDormouseError(error));
    throw error;
  }
}

async function withRetries(
  deps: BackupDependencies,
  request: BackupRequest,
  context: RunContext,
): Promise<BackupManifest> {
  const begunMs = deps.monotonicMs();
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptBackup(deps, request, context);
    } catch (error) {
      const { code, message, hint } = asDormouseError(error);
      const waitMs = backoffMs(attempt);
      const isLate = deps.monotonicMs() - begunMs + waitMs > request.retryForMs;
      const waits = request.waitsForLock || context.isTakenUp;
      const mayPass = isTransient(code) || (code === "database_busy" && waits);
      if (context.signal.aborted || !mayPass || isLate) throw error;
      // A person may be waiting for the answer: what they can do meanwhile is told before the last attempt has failed.
      const triesForMs = Math.max(0, Math.round(request.retryForMs - (deps.monotonicMs() - begunMs)));
      await context.step("retrying", { attempt, code, error: message, hint, waitMs, triesForMs });
      await deps.pause(waitMs, context.signal);
    }
  }
}

async function attemptBackup(
  deps: BackupDependencies,
  request: BackupRequest,
  context: RunContext,
): Promise<BackupManifest> {
  const young = request.ifOlderThanMs === undefined ? undefined : await youngEnough(deps, request, context);
  if (young !== undefined) return young;
  return holdForRun(deps, request.database, context, async ({ lost }) => {
    const held = { ...context, signal: AbortSignal.any([context.signal, lost]) };
    await held.step("locked");
    await sweepLeftovers(deps, context.run, await deps.runs.unfinished("backup", request.database));

    const own = await ownBackups(deps, request.database, held.signal);
    const { known } = own;
    const existing =
      known.find(({ manifest }) => manifest.run === context.run.id) ?? recentEnough(deps, request, known);
    if (existing !== undefined) {
      await held.step("found", { backup: existing.name });
      return existing.manifest;
    }
    return backUp(deps, request, held, own);
  });
}

/** A ping that finds nothing to do takes no lock, for which a restore may be waiting. */
async function youngEnough(
  deps: BackupDependencies,
  request: BackupRequest,
  { signal, step }: RunContext,
): Promise<BackupManifest | undefined> {
  const { known } = await ownBackups(deps, request.database, signal);
  const young = recentEnough(deps, request, known);
  if (young !== undefined) await step("found", { backup: young.name });
  return young?.manifest;
}

async function ownBackups(deps: BackupDependencies, database: string, signal: AbortSignal) {
  const { backups, foreign } = await deps.catalog.list(signal);
  const all = backups.filter((backup) => backup.database === database);
  const origin = await originNow(deps, all, signal);
  const known = all.filter((backup) => isOwn(origin, backup)).toSorted(newestFirst);
  return { origin, known, mayBeHidden: hiding(foreign, database, known[0]?.startedAt).length > 0 };
}

/** What a wrong clock stamped ahead of now would be young for as long as it is ahead, and none would follow it. */
function recentEnough(
  deps: BackupDependencies,
  request: BackupRequest,
  known: readonly Backup[],
): Backup | undefined {
  const { ifOlderThanMs } = request;
  if (ifOlderThanMs === undefined) return undefined;
  const now = deps.now();
  const since = now.getTime() - ifOlderThanMs;
  return known.find((backup) => !isAhead(backup, { now }) && backup.startedAt.getTime() >= since);
}

async function backUp(
  deps: BackupDependencies,
  request: BackupRequest,
  context: RunContext,
  { known, origin, mayBeHidden }: Awaited<ReturnType<typeof ownBackups>>,
): Promise<BackupManifest> {
  const inspection = await deps.inspect(request.database, context.signal);
  refuseIncomplete(request, inspection);
  await refuseFullDisk(deps, inspection, known[0]);
  const tool = await deps.findDumpTool(inspection.serverMajor, context.signal);
  if (tool.warning !== undefined) deps.log.warn(tool.warning, { run: context.run.id });
  await context.step("inspected", {
    serverVersion: inspection.serverVersion,
    pgDump: tool.version,
    databaseBytes: inspection.databaseBytes,
    lacks: inspection.lacks.map(({ kind }) => kind),
  });

  const newest = known[0];
  const sequence = await nextSequence(
    deps,
    { database: request.database, newest, origin, mayBeHidden },
    context,
  );
  const backup = await dumpAndPublish(deps, request, context, {
    inspection,
    tool,
    newest,
    sequence,
    origin,
  });
  announce(deps, context, {
    type: "dev.dormouse.backup.completed",
    subject: backup.name,
    data: backup.manifest,
  } satisfies BackupEvent);
  await dropExpired(deps, request.database, context.signal);
  return backup.manifest;
}

function refuseIncomplete(
  { database, allowIncomplete }: BackupRequest,
  inspection: DatabaseInspection,
): void {
  const missing = intolerable(inspection.lacks, allowIncomplete);
  if (missing.length === 0) return;
  const what = missing.map(({ detail, names }) => `${detail}: ${names.slice(0, 5).join(", ")}`).join("; ");
  throw new DormouseError(
    "backup_incomplete",
    `a dump of ${JSON.stringify(database)} would lack data: ${what}`,
    { hint: remedyFor(inspection.role, missing) },
  );
}

/** ENOSPC would tell as well, but an hour later and with the volume full meanwhile. */
async function refuseFullDisk(
  { catalog }: BackupDependencies,
  { databaseBytes }: DatabaseInspection,
  newest: Backup | undefined,
): Promise<void> {
  const last = newest && {
    sizeBytes: newest.sizeBytes,
    databaseBytes: newest.manifest.content.databaseBytes,
  };
  const space = await catalog.space();
  const { neededBytes, isEnough } = estimateSpace(databaseBytes, last, space);
  if (isEnough) return;
  const free = `${space.availableBytes} bytes and ${space.availableInodes} inodes are free`;
  throw new DormouseError("disk_full", `the next archive may need ${neededBytes} bytes: ${free}`, {
    hint: "enlarge the volume, or lower NUM_BACKUPS and let a cull run",
  });
}

export function announceFailure(
  deps: Pick<BackupDependencies, "events" | "log">,
  database: string,
  context: Pick<RunContext, "run" | "meanwhile">,
  { code, message, hint }: Problem,
): void {
  const data = { run: context.run.id, database, problem: { code, message, hint } };
  announce(deps, context, {
    type: "dev.dormouse.backup.failed",
    subject: database,
    data,
  } satisfies BackupEvent);
}
