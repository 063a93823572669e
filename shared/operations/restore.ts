import type { HeldDatabase } from "../backup/database-lock.ts";
import { parseJournal } from "../backup/journal.ts";
import { restoreMayGoOn } from "../backup/resume.ts";
import type { RestorePlan } from "../backup/restore-plan.ts";
import type { RestoreResult } from "../backup/restore-result.ts";
import { backoffMs, isTransient } from "../backup/retry.ts";
import type { Run, RunContext } from "../backup/run.ts";
import { asDormouseError, DormouseError } from "../errors.ts";
import { announce } from "./announce.ts";
import { dropExpired } from "./drop-expired.ts";
import { exchangeDatabases } from "./exchange-databases.ts";
import { findWanted, planOf, refuseBlocked } from "./plan-restore.ts";
import type { RestoreDependencies, RestoreRequest } from "./restore-dependencies.ts";
import { sagaOf, type Saga } from "./saga.ts";
import { settle, stepAfter } from "./settle-restore.ts";
import { carryOutRestore, resultOf } from "./strategies.ts";

/**
 * Restores, or says how it would. A failure leaves the live database and the workloads as they were; a process that is
 * ended leaves its journal, by which the next one carries on.
 */
export async function restore(
  deps: RestoreDependencies,
  request: RestoreRequest,
  context: RunContext,
): Promise<RestoreResult | RestorePlan> {
  if (request.dryRun) return plan(deps, request, context);
  const saga = sagaOf(context);
  try {
    const result = await locked(deps, saga, (held, own) => attempt(deps, request, own, held));
    await announceResult(deps, context, result);
    return result;
  } catch (error) {
    if (context.signal.aborted || asDormouseError(error).code === "restore_unsettled") throw error;
    const result = saga.hasBegun() ? await settleForSure(deps, saga, error) : undefined;
    if (result === undefined) {
      await announceFailure(deps, context, error);
      throw error;
    }
    await announceResult(deps, context, result);
    return result;
  }
}

async function plan(
  deps: RestoreDependencies,
  request: RestoreRequest,
  { signal }: RunContext,
): Promise<RestorePlan> {
  return (await planOf(deps, await findWanted(deps, request, signal), signal)).plan;
}

/** A run that is taken up waits for the lock: the process that had it before may still be ending. */
async function locked<Result>(
  deps: RestoreDependencies,
  saga: Saga,
  work: (held: HeldDatabase, own: Saga) => Promise<Result>,
): Promise<Result> {
  const { isTakenUp, signal } = saga.context;
  const begunMs = deps.now().getTime();
  for (let attempted = 1; ; attempted++) {
    try {
      return await deps.lock.hold(deps.settings.database, signal, (held) => work(held, saga.within(held)));
    } catch (error) {
      const { code } = asDormouseError(error);
      const mayPass = code === "database_busy" || (!saga.hasBegun() && isTransient(code));
      if (!mayPass || signal.aborted || !(isTakenUp || saga.hasBegun())) throw error;
      if (deps.now().getTime() - begunMs > deps.settings.settleForMs)
        throw unsettled(saga.context.run, error);
      await deps.pause(backoffMs(attempted), signal);
    }
  }
}

async function attempt(
  deps: RestoreDependencies,
  request: RestoreRequest,
  saga: Saga,
  held: HeldDatabase,
): Promise<RestoreResult> {
  const { signal, step, amend } = saga.context;
  const run = await saga.refresh();
  await step("locked");
  await settleOthers(deps, held, saga.context);
  await dropExpired({ ...deps, drop: deps.server.drop }, deps.settings.database, signal);
  if (saga.hasBegun()) {
    const next = await stepAfter(deps, saga, held, restoreMayGoOn(run, deps.now()));
    await step("resumed", { phase: saga.journal().phase, next });
    if (next === "continue")
      return resultOf(deps, saga, await exchangeDatabases(deps, saga, held), undefined);
    if (next !== "again") return settled(deps, saga, held, run);
  }
  const found = await findWanted(deps, pinnedDown(request, saga), signal);
  const { plan: planned, serverMajor } = await planOf(deps, found, signal);
  await announce(deps, saga.context, {
    type: "dev.dormouse.restore.planned",
    subject: deps.settings.database,
    data: planned,
  });
  await step("planned", { strategy: planned.strategy, blockers: planned.blockers.length });
  refuseBlocked(planned);
  if (found.backup !== undefined) await amend({ uses: [found.backup.name] });
  return carryOutRestore(deps, saga, held, {
    found,
    serverMajor,
    liveExists: await liveExists(deps, signal),
  });
}

/** What was latest when the run began stays what it restores. */
function pinnedDown(request: RestoreRequest, saga: Saga): RestoreRequest {
  if (!saga.hasBegun() || request.kind === "undo") return request;
  return { ...request, filename: saga.journal().source };
}

async function settled(
  deps: RestoreDependencies,
  saga: Saga,
  held: HeldDatabase,
  run: Run,
): Promise<RestoreResult> {
  const result = await settle(deps, saga, held);
  if (result !== undefined) return result;
  throw new DormouseError(
    "interrupted",
    `the restore was interrupted ${run.attempt - 1} times and was rolled back`,
    {
      hint: "nothing has changed: find out what ends the pod, then restore again",
    },
  );
}

async function liveExists({ server, settings }: RestoreDependencies, signal: AbortSignal): Promise<boolean> {
  return (await server.existing([settings.database], signal)).has(settings.database);
}

/**
 * Whoever holds the lock knows that no other restore is under way: what an earlier one left unfinished is finished or
 * taken back, before anything else is touched.
 */
async function settleOthers(
  deps: RestoreDependencies,
  held: HeldDatabase,
  context: RunContext,
): Promise<void> {
  for (const run of await deps.runs.unfinished("restore")) {
    if (run.id === context.run.id || run.database !== deps.settings.database) continue;
    let current = run;
    const amend: RunContext["amend"] = async (changes) => {
      current = { ...current, ...changes };
      await deps.runs.update(current);
    };
    if (parseJournal(run.journal) !== undefined) {
      const result = await settle(deps, sagaOf({ ...context, run, amend }), held);
      if (result !== undefined) current = { ...current, result };
    }
    const problem = {
      code: "interrupted",
      message: "another restore was asked for; this one was settled",
    } as const;
    const end =
      current.result === undefined ? { state: "failed" as const, problem } : { state: "succeeded" as const };
    await deps.runs.update({ ...current, ...end, finishedAt: deps.now() });
    await context.step("settled", { run: run.id, state: end.state });
  }
}

/** With the lock anew, since it may be the lock that failed; in the end it is left to the next process. */
async function settleForSure(
  deps: RestoreDependencies,
  saga: Saga,
  cause: unknown,
): Promise<RestoreResult | undefined> {
  const { run, signal } = saga.context;
  const { code, message } = asDormouseError(cause);
  // Without the lock the record may be another's by now.
  deps.log.warn("restore failed", { run: run.id, code, error: message });
  const begunMs = deps.now().getTime();
  for (let attempted = 1; ; attempted++) {
    try {
      return await locked(deps, saga, (held, own) => settleOwn(deps, own, held, cause));
    } catch (error) {
      if (signal.aborted || asDormouseError(error).code === "restore_unsettled") throw error;
      if (deps.now().getTime() - begunMs > deps.settings.settleForMs) throw unsettled(run, error, cause);
      await deps.pause(backoffMs(attempted), signal);
    }
  }
}

/** By the record, if that can be read: the lock may have been another's in between. */
async function settleOwn(
  deps: RestoreDependencies,
  saga: Saga,
  held: HeldDatabase,
  cause: unknown,
): Promise<RestoreResult | undefined> {
  try {
    await saga.refresh();
  } catch (error) {
    if (asDormouseError(error).code === "restore_unsettled") throw error;
    deps.log.warn("record not read", { run: saga.context.run.id, error: String(error) });
  }
  if (!saga.hasBegun()) return undefined;
  const { code, message } = asDormouseError(cause);
  await saga.tolerant(deps.log).context.step("failed", { code, error: message });
  return settle(deps, saga, held);
}

function unsettled({ id }: Run, error: unknown, cause = error): DormouseError {
  const failed = cause === error ? "" : ` failed (${asDormouseError(cause).message}) and`;
  return new DormouseError(
    "restore_unsettled",
    `restore ${id}${failed} could not be settled yet: ${asDormouseError(error).message}`,
    { hint: "its journal is kept: the next start, ping or request goes on", cause },
  );
}

async function announceResult(
  deps: RestoreDependencies,
  context: RunContext,
  result: RestoreResult,
): Promise<void> {
  const type = result.strategy === "undo" ? "dev.dormouse.restore.undone" : "dev.dormouse.restore.completed";
  await announce(deps, context, { type, subject: result.source, data: result });
}

async function announceFailure(
  deps: RestoreDependencies,
  context: RunContext,
  error: unknown,
): Promise<void> {
  const { code, message, hint } = asDormouseError(error);
  const { database } = deps.settings;
  await announce(deps, context, {
    type: "dev.dormouse.restore.rolledback",
    subject: database,
    data: { run: context.run.id, database, problem: { code, message, hint } },
  });
}
