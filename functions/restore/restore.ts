import { announce } from "../../shared/events/announce.ts";
import { asDormouseError, DormouseError, problemFrom } from "../../shared/errors.ts";
import { dropExpired } from "../../shared/postgres/databases/drop-expired.ts";
import { restoreMayGoOn } from "../../shared/run/resume.ts";
import { isOwnedElsewhere, type Run, type RunContext } from "../../shared/run/run.ts";
import { sweepLeftovers } from "../../shared/run/sweep-leftovers.ts";
import { findWanted } from "./find-wanted.ts";
import { holdDatabase } from "./journal/hold-database.ts";
import { readResult, type RestoreEvent, type RestoreResult } from "./journal/restore-result.ts";
import { endRoles } from "./journal/roles-of-run.ts";
import { settleForSure, settleOthers } from "./journal/settle-failed.ts";
import { resetLimit, settle, stepAfter } from "./journal/settle-restore.ts";
import { refuseBlocked, toPlan } from "./plan-restore.ts";
import type { RestorePlan } from "./plan/restore-plan.ts";
import { noteFailure } from "./rehearsal/note-failure.ts";
import { EFFECTS } from "./plan/strategy.ts";
import {
  hasBegun,
  type OpenRestore,
  openRestore,
  readJournal,
  refreshJournal,
  type RestoreDependencies,
  type RestoreRequest,
  type Restoring,
} from "./restoring.ts";
import { carryOutRestore } from "./strategies.ts";
import { swapDatabases } from "./swap-databases.ts";

/**
 * Restores, or says how it would. A failure leaves the live database and the workloads as they were; a process that is
 * ended leaves its journal, by which the next one carries on.
 */
export async function restore(
  deps: RestoreDependencies,
  request: RestoreRequest,
  context: RunContext,
): Promise<RestoreResult | RestorePlan> {
  try {
    const open = openRestore(deps, context);
    if (request.dryRun) return (await toPlan(open, await findWanted(open, request))).plan;
    return await restoreOrSettle(open, request);
  } catch (error) {
    // The record is left to the next process: no step of this one goes there.
    const { run, meanwhile } = context;
    if (asDormouseError(error).code === "rollback_pending")
      announceFailure(deps, { run, meanwhile }, "restore.unsettled", error);
    throw error;
  }
}

async function restoreOrSettle(open: OpenRestore, request: RestoreRequest): Promise<RestoreResult> {
  try {
    const named = await nameLatest(open, request);
    const result = await holdDatabase(open, (restoring) => attempt(restoring, named));
    announceResult(open, result);
    return result;
  } catch (error) {
    if (open.signal.aborted || isOwnedElsewhere(asDormouseError(error).code)) throw error;
    const result = hasBegun(open) ? await settleForSure(open, error) : undefined;
    if (result === undefined) {
      await announceEnd(open, request, error);
      throw error;
    }
    announceResult(open, result);
    return result;
  }
}

async function attempt(restoring: Restoring, request: RestoreRequest): Promise<RestoreResult> {
  const { signal, step, settings, files } = restoring;
  const run = await refreshJournal(restoring);
  await step("locked");
  await settleOthers(restoring);
  await dropExpired(restoring, settings.database, signal);
  await sweepLeftovers(restoring, run, []);
  const asked = pinnedDown(request, restoring);
  await files.sweep(settings.database, asked.kind === "undo" ? undefined : asked.filename);
  if (restoring.isResumed && !hasBegun(restoring)) throw begunNothing();
  if (hasBegun(restoring)) {
    const next = await stepAfter(restoring, restoreMayGoOn(run, new Date()));
    await step("resumed", { phase: readJournal(restoring).phase, next });
    if (next === "continue")
      return withRoles(restoring, readResult(restoring, await swapDatabases(restoring)));
    if (next !== "again") return settled(restoring, run);
    // A session that connected meanwhile would have the one place that was left.
    await resetLimit(restoring);
  }
  return withRoles(restoring, await begin(restoring, asked));
}

async function withRoles(restoring: Restoring, result: RestoreResult): Promise<RestoreResult> {
  await endRoles(restoring);
  return result;
}

async function begin(restoring: Restoring, request: RestoreRequest): Promise<RestoreResult> {
  const { step, amend, settings } = restoring;
  const found = await findWanted(restoring, request);
  const { plan, facts } = await toPlan(restoring, found);
  announce(restoring, restoring, {
    type: "dev.dormouse.restore.planned",
    subject: settings.database,
    data: plan,
  } satisfies RestoreEvent);
  const { strategy, blockers, warnings } = plan;
  await step("planned", { strategy, blockers: blockers.length, warnings });
  refuseBlocked(plan);
  if (found.backup !== undefined) await amend({ uses: [found.backup.name] });
  return carryOutRestore(restoring, found, facts);
}

/** The bucket may have the latest: it is asked before there is a lock that others wait for. */
async function nameLatest(open: OpenRestore, request: RestoreRequest): Promise<RestoreRequest> {
  if (hasBegun(open) || request.kind === "undo" || request.filename !== "latest") return request;
  const { backup } = await findWanted(open, request);
  return backup === undefined ? request : { ...request, filename: backup.name };
}

/** What was latest when the run began stays what it restores. */
function pinnedDown(request: RestoreRequest, restoring: Restoring): RestoreRequest {
  if (!hasBegun(restoring) || request.kind === "undo") return request;
  return { ...request, filename: readJournal(restoring).source };
}

/** Only a request begins a restore: a record alone does not. */
function begunNothing(): DormouseError {
  return new DormouseError("interrupted", "the restore was interrupted before it had begun anything", {
    hint: "nothing has changed: ask for it again",
  });
}

async function settled(restoring: Restoring, run: Run): Promise<RestoreResult> {
  const result = await settle(restoring);
  if (result !== undefined) return result;
  throw new DormouseError(
    "interrupted",
    `the restore was interrupted ${run.attempt - 1} times, and nothing of it is left`,
    {
      hint: "nothing has changed: find out what ends the pod, then restore again",
    },
  );
}

/** A rehearsal that failed has taken nothing back from anybody: it says something of a backup. */
async function announceEnd(open: OpenRestore, request: RestoreRequest, error: unknown): Promise<void> {
  const isRehearsal = request.kind === "restore" && EFFECTS[request.strategy].drops;
  if (!isRehearsal) return announceFailure(open, open, "restore.rolledback", error);
  if (hasBegun(open)) await noteFailure(open, error);
  announceFailure(open, open, "rehearsal.failed", error);
}

function announceResult(open: OpenRestore, result: RestoreResult): void {
  const { needsBackup, drops } = EFFECTS[result.strategy];
  const restored = needsBackup ? "dev.dormouse.restore.completed" : "dev.dormouse.restore.undone";
  const type = drops ? "dev.dormouse.rehearsal.completed" : restored;
  announce(open, open, { type, subject: result.source, data: result } satisfies RestoreEvent);
}

function announceFailure(
  deps: RestoreDependencies,
  context: Pick<RunContext, "run" | "meanwhile">,
  what: "restore.rolledback" | "restore.unsettled" | "rehearsal.failed",
  error: unknown,
): void {
  const { database } = deps.settings;
  announce(deps, context, {
    type: `dev.dormouse.${what}`,
    subject: database,
    data: { run: context.run.id, database, problem: problemFrom(error) },
  } satisfies RestoreEvent);
}
