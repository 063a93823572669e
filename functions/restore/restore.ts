import { EFFECTS } from "./plan/strategy.ts";
import type { HeldDatabase } from "../../shared/postgres/databases/held-database.ts";
import { restoreMayGoOn } from "../../shared/run/resume.ts";
import type { RestorePlan } from "./plan/restore-plan.ts";
import type { RestoreResult } from "./journal/restore-result.ts";
import { isOwnedElsewhere, type Run, type RunContext } from "../../shared/run/run.ts";
import { asDormouseError, DormouseError, problemFrom } from "../../shared/errors.ts";
import { dropExpired } from "../../shared/postgres/databases/drop-expired.ts";
import { swapDatabases } from "./swap-databases.ts";
import { holdDatabase } from "./journal/hold-database.ts";
import { findWanted, toPlan, refuseBlocked } from "./plan-restore.ts";
import type { RestoreDependencies, RestoreRequest } from "./restore-dependencies.ts";
import { openJournal, type JournaledRun } from "./journal/journaled-run.ts";
import { settleForSure, settleOthers } from "./journal/settle-failed.ts";
import { resetLimit, settle, stepAfter } from "./journal/settle-restore.ts";
import { readResult } from "./journal/restore-result-of.ts";
import { sweepLeftovers } from "../../shared/run/sweep-leftovers.ts";
import { carryOutRestore } from "./strategies.ts";
import type { RestoreEvent } from "./journal/restore-events.ts";
import { announce } from "../../shared/events/announce.ts";

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
    return await planOrRestore(deps, request, context);
  } catch (error) {
    // The record is left to the next process: no step of this one goes there.
    const { run, meanwhile } = context;
    if (asDormouseError(error).code === "rollback_pending")
      announceFailure(deps, { run, meanwhile }, "unsettled", error);
    throw error;
  }
}

async function planOrRestore(
  deps: RestoreDependencies,
  request: RestoreRequest,
  context: RunContext,
): Promise<RestoreResult | RestorePlan> {
  if (request.dryRun) return plan(deps, request, context);
  const saga = openJournal(context);
  try {
    const named = await nameLatest(deps, request, saga);
    const result = await holdDatabase(deps, saga, (held, own) => attempt(deps, named, own, held));
    announceResult(deps, context, result);
    return result;
  } catch (error) {
    if (context.signal.aborted || isOwnedElsewhere(asDormouseError(error).code)) throw error;
    const result = saga.hasBegun() ? await settleForSure(deps, saga, error) : undefined;
    if (result === undefined) {
      announceFailure(deps, context, "rolledback", error);
      throw error;
    }
    announceResult(deps, context, result);
    return result;
  }
}

async function plan(
  deps: RestoreDependencies,
  request: RestoreRequest,
  { signal }: RunContext,
): Promise<RestorePlan> {
  return (await toPlan(deps, await findWanted(deps, request, signal), signal)).plan;
}

async function attempt(
  deps: RestoreDependencies,
  request: RestoreRequest,
  saga: JournaledRun,
  held: HeldDatabase,
): Promise<RestoreResult> {
  const { signal, step, amend } = saga.context;
  const run = await saga.refresh();
  await step("locked");
  await settleOthers(deps, held, saga.context);
  await dropExpired(deps, deps.settings.database, signal);
  await sweepLeftovers({ ...deps, catalog: deps.volume }, run, []);
  const asked = pinnedDown(request, saga);
  await deps.files.sweep(deps.settings.database, asked.kind === "undo" ? undefined : asked.filename);
  if (saga.context.isResumed && !saga.hasBegun()) throw begunNothing();
  if (saga.hasBegun()) {
    const next = await stepAfter(deps, saga, held, restoreMayGoOn(run, deps.now()));
    await step("resumed", { phase: saga.journal().phase, next });
    if (next === "continue") return readResult(saga, await swapDatabases(deps, saga, held));
    if (next !== "again") return settled(deps, saga, held, run);
    // A session that connected meanwhile would have the one place that was left.
    await resetLimit(saga.journal(), held);
  }
  const found = await findWanted(deps, asked, signal);
  const { plan: planned, serverMajor } = await toPlan(deps, found, signal);
  announce(deps, saga.context, {
    type: "dev.dormouse.restore.planned",
    subject: deps.settings.database,
    data: planned,
  } satisfies RestoreEvent);
  const { strategy, blockers, warnings } = planned;
  await step("planned", { strategy, blockers: blockers.length, warnings });
  refuseBlocked(planned);
  if (found.backup !== undefined) await amend({ uses: [found.backup.name] });
  return carryOutRestore(deps, saga, held, {
    found,
    serverMajor,
    liveExists: await liveExists(deps, signal),
  });
}

/** The bucket may have the latest: it is asked before there is a lock that others wait for. */
async function nameLatest(
  deps: RestoreDependencies,
  request: RestoreRequest,
  saga: JournaledRun,
): Promise<RestoreRequest> {
  if (saga.hasBegun() || request.kind === "undo" || request.filename !== "latest") return request;
  const { backup } = await findWanted(deps, request, saga.context.signal);
  return backup === undefined ? request : { ...request, filename: backup.name };
}

/** What was latest when the run began stays what it restores. */
function pinnedDown(request: RestoreRequest, saga: JournaledRun): RestoreRequest {
  if (!saga.hasBegun() || request.kind === "undo") return request;
  return { ...request, filename: saga.journal().source };
}

/** Only a request begins a restore: a record alone does not. */
function begunNothing(): DormouseError {
  return new DormouseError("interrupted", "the restore was interrupted before it had begun anything", {
    hint: "nothing has changed: ask for it again",
  });
}

async function settled(
  deps: RestoreDependencies,
  saga: JournaledRun,
  held: HeldDatabase,
  run: Run,
): Promise<RestoreResult> {
  const result = await settle(deps, saga, held);
  if (result !== undefined) return result;
  throw new DormouseError(
    "interrupted",
    `the restore was interrupted ${run.attempt - 1} times, and nothing of it is left`,
    {
      hint: "nothing has changed: find out what ends the pod, then restore again",
    },
  );
}

async function liveExists({ server, settings }: RestoreDependencies, signal: AbortSignal): Promise<boolean> {
  return (await server.look([settings.database], signal)).has(settings.database);
}

function announceResult(deps: RestoreDependencies, context: RunContext, result: RestoreResult): void {
  const { needsBackup } = EFFECTS[result.strategy];
  const type = needsBackup ? "dev.dormouse.restore.completed" : "dev.dormouse.restore.undone";
  announce(deps, context, { type, subject: result.source, data: result } satisfies RestoreEvent);
}

function announceFailure(
  deps: RestoreDependencies,
  context: Pick<RunContext, "run" | "meanwhile">,
  what: "rolledback" | "unsettled",
  error: unknown,
): void {
  const { database } = deps.settings;
  announce(deps, context, {
    type: `dev.dormouse.restore.${what}`,
    subject: database,
    data: { run: context.run.id, database, problem: problemFrom(error) },
  } satisfies RestoreEvent);
}
