import { isPartial, newestFirst, type Backup } from "../catalog/backup.ts";
import { remedyFor } from "../postgres/grants.ts";
import { findClientTools } from "../postgres/client-tools.ts";
import type { HeldDatabase } from "../postgres/databases/held-database.ts";
import { fatalOmissions } from "../postgres/lacks.ts";
import { inspectDatabase, type DatabaseInspection } from "../postgres/preflight.ts";
import type { BackupManifest } from "../catalog/manifest.ts";
import { isOwn } from "../catalog/origin.ts";
import { hasUntrusted } from "../catalog/trusted-listing.ts";
import { isAhead } from "../retention/keep-rules.ts";
import { hiding } from "../retention/oddities.ts";
import { isTransient, retrying } from "../retry.ts";
import { isOwnedElsewhere, isUnfinished, nameOf, type Run } from "../run/run.ts";
import { estimateSpace, lastOf } from "./space.ts";
import { asDormouseError, DormouseError, type Problem } from "../errors.ts";
import {
  originNow,
  type BackupDependencies,
  type BackupRequest,
  type TakingBackup,
} from "./taking-backup.ts";
import { dropExpired } from "../postgres/databases/drop-expired.ts";
import { dumpAndPublish } from "./dump-and-publish.ts";
import { mirrorBackups } from "./mirror-backups.ts";
import { nextSequence } from "./next-sequence.ts";
import { sweepLeftovers } from "../run/sweep-leftovers.ts";
import type { BackupEvent } from "./backup-events.ts";
import { announce } from "../events/announce.ts";

/**
 * Takes a backup, or answers with the one that this run or `ifOlderThanMs` makes needless; then sends what the bucket
 * lacks. The lock is free by then: a restore must not wait for an upload.
 */
export async function takeBackup(taking: TakingBackup): Promise<BackupManifest> {
  const { request, signal } = taking;
  try {
    const manifest = await takeInTheEnd(taking);
    if (request.held === undefined) await mirrorBackups(taking, request.database, taking);
    return manifest;
  } catch (error) {
    const isOurs = !signal.aborted && !isOwnedElsewhere(asDormouseError(error).code);
    if (isOurs) announce(taking, taking, failureOf(taking.run, asDormouseError(error)));
    throw error;
  }
}

/**
 * Attempts until `retryForMs` is over where the fault may pass. Another process may have this very run, as a pod that was
 * alive when this one started and found it unfinished: it is waited for, however long it takes and without a word in its
 * record; if it dies, the run is ours.
 */
function takeInTheEnd(taking: TakingBackup): Promise<BackupManifest> {
  const { request, isResumed, signal, step } = taking;
  return retrying(
    signal,
    async (before) => {
      const waited = before?.code === "run_superseded";
      return (waited ? undefined : await youngEnough(taking)) ?? (await takeUnderLock(taking));
    },
    async ({ error, code, attempt, elapsedMs, waitMs }) => {
      if (code === "run_superseded") return !(await hasEnded(taking));
      const mayPass = isTransient(code) || (code === "database_busy" && (request.waitsForLock || isResumed));
      if (!mayPass || elapsedMs + waitMs > request.retryForMs) return false;
      // A person may be waiting for the answer: it shows what to do before the last attempt has failed.
      const { message, hint } = asDormouseError(error);
      const triesForMs = Math.max(0, Math.round(request.retryForMs - elapsedMs));
      await step("retrying", { attempt, code, error: message, hint, waitMs, triesForMs });
      return true;
    },
  );
}

async function takeUnderLock(taking: TakingBackup): Promise<BackupManifest> {
  const { request, run, lock, signal } = taking;
  const work = async ({ lost }: HeldDatabase) => {
    if (await hasEnded(taking)) throw endedElsewhere(run);
    return takeUnlessThere({ ...taking, signal: AbortSignal.any([signal, lost]) });
  };
  if (request.held !== undefined) return work(request.held);
  return lock.hold({ database: request.database, run: run.id }, signal, work);
}

async function takeUnlessThere(taking: TakingBackup): Promise<BackupManifest> {
  const { request, run, runs, step } = taking;
  await step("locked");
  await sweepLeftovers(taking, run, await runs.unfinished("backup", request.database));

  const own = await ownBackups(taking);
  const made = own.known.find(({ manifest }) => manifest.run === run.id);
  // The process that made it may have ended before it reported it.
  if (made !== undefined) announceBackup(taking, made);
  const existing = made ?? recentEnough(taking, own.known);
  if (existing === undefined) return backUp(taking, own);
  await step("found", { backup: existing.name });
  return existing.manifest;
}

async function hasEnded({ runs, run }: TakingBackup): Promise<boolean> {
  const known = await runs.find(run.id);
  return known !== undefined && !isUnfinished(known);
}

function endedElsewhere({ id }: Run): DormouseError {
  return new DormouseError("run_superseded", `run ${id} was carried out by another process`, {
    hint: `GET /runs/${id} shows how it ended`,
  });
}

/** A ping that finds nothing to do takes no lock, for which a restore may be waiting. */
async function youngEnough(taking: TakingBackup): Promise<BackupManifest | undefined> {
  if (taking.request.ifOlderThanMs === undefined) return undefined;
  const { known } = await ownBackups(taking);
  const young = recentEnough(taking, known);
  if (young !== undefined) await taking.step("found", { backup: young.name });
  return young?.manifest;
}

async function ownBackups(taking: TakingBackup) {
  const { catalog, request, signal } = taking;
  const { database } = request;
  const { backups, foreign } = await catalog.list(signal);
  const all = backups.filter((backup) => backup.database === database);
  const origin = await originNow(taking, all, signal);
  const known = all.filter((backup) => isOwn(origin, backup)).toSorted(newestFirst);
  const mayBeHidden =
    hiding(foreign, database, known[0]?.startedAt).length > 0 || hasUntrusted(foreign, database);
  return { origin, known, mayBeHidden };
}

/** What a wrong clock stamped ahead of now would be young for as long as it is ahead, and none would follow it. */
function recentEnough({ request }: TakingBackup, known: readonly Backup[]): Backup | undefined {
  const { ifOlderThanMs } = request;
  if (ifOlderThanMs === undefined) return undefined;
  const now = new Date();
  const since = now.getTime() - ifOlderThanMs;
  return known.find(
    (backup) => !isAhead(backup, { now }) && !isPartial(backup) && backup.startedAt.getTime() >= since,
  );
}

async function backUp(
  taking: TakingBackup,
  { known, origin, mayBeHidden }: Awaited<ReturnType<typeof ownBackups>>,
): Promise<BackupManifest> {
  const { request, run, signal, step, log, toolPlace } = taking;
  const { database } = request;
  const inspection = await inspectDatabase(taking.connection, database, signal, request.exclude?.patterns);
  refuseIncomplete(request, inspection);
  const [newest] = known;
  const alike = known.find((backup) => !isPartial(backup)) ?? newest;
  await refuseFullDisk(taking, inspection, alike);
  const tools = await findClientTools(inspection.serverMajor, toolPlace.binDir, toolPlace.searchPath);
  if (tools.warning !== undefined) log.warn(tools.warning, { run: run.id });
  await step("inspected", {
    serverVersion: inspection.serverVersion,
    pgDump: tools.version,
    databaseBytes: inspection.databaseBytes,
    lacks: inspection.lacks.map(({ kind }) => kind),
  });

  const sequence = await nextSequence(taking, { newest, origin, mayBeHidden });
  const backup = await dumpAndPublish(taking, { inspection, tools, newest, sequence, origin });
  announceBackup(taking, backup);
  await dropExpired(taking, database, signal);
  return backup.manifest;
}

function announceBackup(taking: TakingBackup, { name, manifest }: Backup): void {
  announce(taking, taking, {
    type: "dev.dormouse.backup.completed",
    subject: name,
    data: manifest,
  } satisfies BackupEvent);
}

function refuseIncomplete(
  { database, allowIncomplete }: BackupRequest,
  inspection: DatabaseInspection,
): void {
  const missing = fatalOmissions(inspection.lacks, allowIncomplete);
  if (missing.length === 0) return;
  const what = missing.map(({ detail, names }) => `${detail}: ${names.slice(0, 5).join(", ")}`).join("; ");
  throw new DormouseError(
    "backup_incomplete",
    `a dump of ${JSON.stringify(database)} would lack data: ${what}`,
    { hint: remedyFor(inspection.role, missing) },
  );
}

/** ENOSPC would come as well, but an hour later and with the volume full meanwhile. */
async function refuseFullDisk(
  { catalog }: BackupDependencies,
  { databaseBytes }: DatabaseInspection,
  newest: Backup | undefined,
): Promise<void> {
  const space = await catalog.space();
  const { neededBytes, isEnough } = estimateSpace(databaseBytes, newest && lastOf(newest), space);
  if (isEnough) return;
  const free = `${space.availableBytes} bytes and ${space.availableInodes} inodes are free`;
  throw new DormouseError("disk_full", `the next archive may need ${neededBytes} bytes: ${free}`, {
    hint: "enlarge the volume, or lower NUM_BACKUPS and let a cull run",
  });
}

/** The event of a run that failed. */
export function failureOf(run: Run, { code, message, hint }: Problem): BackupEvent {
  const subject = nameOf(run);
  const { sweep } = run.request;
  const part = typeof sweep === "string" ? { sweep } : {};
  const data = { run: run.id, ...part, database: subject, problem: { code, message, hint } };
  return { type: "dev.dormouse.backup.failed", subject, data };
}
