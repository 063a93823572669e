import type { RecordedReplicas } from "../journal/journal.ts";
import type { RestartedWorkload } from "../journal/restore-result.ts";
import { othersUnderWay, stoppedByOther, workloadBusy } from "../journal/others-under-way.ts";
import { EFFECTS } from "../plan/strategy.ts";
import { workloadText } from "./workload.ts";
import { asDormouseError, type ErrorCode } from "../../../shared/errors.ts";
import type { HeldDatabase } from "../../../shared/postgres/databases/held-database.ts";
import { retrying } from "../../../shared/retry.ts";
import { readJournal, type RestoreDependencies, type Restoring, writeJournal } from "../restoring.ts";

/**
 * Stops the workloads in the reverse of their order, none of them waiting for another, until the last pod of each is gone.
 * Their replicas are in the journal before the first one is stopped, and a run that is resumed believes its journal, not
 * what it sees.
 */
export async function stopWorkloads(restoring: Restoring): Promise<void> {
  const { workloads, signal } = restoring;
  const known = readJournal(restoring).workloads;
  const recorded = known ?? (await recordReplicas(restoring));
  if (recorded.length === 0) return;
  if (known !== undefined) await beginStopping(restoring, known);
  for (const { replicas, ...workload } of recorded.toReversed()) {
    const { replicas: now } = await workloads.read(workload, signal);
    if (now !== 0) await workloads.scale(workload, replicas, 0, signal);
  }
  await awaitAllStopped(restoring, recorded);
}

/** The first that does not stop ends the waiting for the others. Steps are written one after the other. */
async function awaitAllStopped(
  { workloads, settings, signal, step }: Restoring,
  recorded: readonly RecordedReplicas[],
): Promise<void> {
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  let written = Promise.resolve();
  const awaitStopped = async ({ replicas, ...workload }: RecordedReplicas) => {
    await workloads.awaitStopped(workload, settings.stopLimitMs, both);
    written = written.then(() => step("stopped", { workload: workloadText(workload), replicas }));
    await written;
  };
  try {
    await Promise.all(recorded.map(awaitStopped));
  } finally {
    failed.abort();
  }
}

/** For the journal: the last pod has ended, and what is taken away next is the database. */
export function stoppedNow(restoring: Restoring) {
  const { downSince, stoppedAt } = readJournal(restoring);
  const at = new Date().toISOString();
  return { downSince: downSince ?? at, stoppedAt: stoppedAt ?? at };
}

async function beginStopping(restoring: Restoring, workloads: RecordedReplicas[]): Promise<void> {
  const downSince = readJournal(restoring).downSince ?? new Date().toISOString();
  await writeJournal(restoring, { phase: "stopping", workloads, downSince });
}

/**
 * None of them while the restore of another database has it stopped: its 0 replicas are not those that it had, and what
 * starts it must be the last that needs it stopped.
 */
async function recordReplicas(restoring: Restoring): Promise<readonly RecordedReplicas[]> {
  const { held, settings, signal, step } = restoring;
  const { workloads, busyForMs } = settings;
  if (workloads.length === 0) return [];
  const record = () =>
    held.alone(async () => {
      const recorded = await readReplicas(restoring);
      await beginStopping(restoring, recorded);
      return recorded;
    });
  return retrying(signal, record, async ({ code, error, attempt, elapsedMs, waitMs }) => {
    if (code !== "workload_busy" || elapsedMs + waitMs > busyForMs) return false;
    const { message } = asDormouseError(error);
    if (attempt === 1) await step("waiting", { for: message, atMostSeconds: busyForMs / 1000 });
    return true;
  });
}

async function readReplicas(restoring: Restoring): Promise<RecordedReplicas[]> {
  const { run, settings, workloads, signal } = restoring;
  const others = await othersUnderWay(restoring, run.id);
  const recorded: RecordedReplicas[] = [];
  for (const workload of settings.workloads) {
    const other = stoppedByOther(others, workload);
    if (other !== undefined) throw workloadBusy(workload, other);
    const { replicas } = await workloads.read(workload, signal);
    recorded.push({ ...workload, replicas });
  }
  return recorded;
}

/**
 * Starts the workloads in their order with the replicas of the journal, each until it is ready. One that does not become
 * ready is reported and keeps its replicas: the database is in order, and what is wrong with the pod is not ours to undo.
 * One that cannot be started yet does not keep the others from it.
 */
export async function startWorkloads(
  restoring: Restoring,
  readyLimitMs = restoring.settings.readyLimitMs,
): Promise<RestartedWorkload[]> {
  const started: RestartedWorkload[] = [];
  const failures: unknown[] = [];
  for (const recorded of readJournal(restoring).workloads ?? []) {
    try {
      const outcome = await startWorkload(restoring, recorded, readyLimitMs);
      started.push(outcome);
      await restoring.step("started", { ...outcome });
    } catch (error) {
      restoring.signal.throwIfAborted();
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return started;
}

/** What waiting and trying again would not change, and the database has no part in. */
const NOT_OURS_TO_MEND: ReadonlySet<ErrorCode> = new Set([
  "workload_not_ready",
  "workload_changed",
  "workload_not_found",
]);

async function startWorkload(
  { workloads, signal }: Restoring,
  { replicas, ...workload }: RecordedReplicas,
  readyLimitMs: number,
): Promise<RestartedWorkload> {
  const text = { workload: workloadText(workload), replicas };
  if (replicas === 0) return { ...text, ready: false, why: "it had no replicas before the restore either" };
  try {
    const { replicas: now } = await workloads.read(workload, signal);
    if (now !== 0 && now !== replicas) {
      const why = `another client set it to ${now} replicas meanwhile; it was left so`;
      return { ...text, ready: false, why };
    }
    if (now !== replicas) await workloads.scale(workload, 0, replicas, signal);
    await workloads.awaitReady(workload, replicas, readyLimitMs, signal);
    return { ...text, ready: true };
  } catch (error) {
    const { code, message } = asDormouseError(error);
    if (!NOT_OURS_TO_MEND.has(code)) throw error;
    return { ...text, ready: false, why: message };
  }
}

/** Before the first step that must not stay half done. */
export async function ensureWakeUp({ held, wakeUpSource, run, signal, step }: Restoring): Promise<void> {
  // By now the journal says that the run has begun: who removes the source after this sees that it is needed.
  const { missing } = await held.alone(() => wakeUpSource.ensure(run.id, signal));
  if (missing !== undefined) await step("wakeup_unavailable", { why: missing });
}

/** While the record does not show the end of the run, the function must be woken to record it. */
export async function removeWakeUp(restoring: Restoring): Promise<void> {
  const { entries, run, held, signal } = restoring;
  if (!entries.isUnwritten) await removeSource({ ...restoring, own: run.id }, held, signal);
}

type Removing = Pick<RestoreDependencies, "wakeUpSource" | "log" | "runs" | "choice"> & {
  readonly own?: string;
};

/**
 * The ping source, when a run has ended and no other counts on it. One that stays wakes the function for nothing, and is
 * removed by its next ping; it fails no restore.
 */
export async function removeSource(
  removing: Removing,
  { alone }: Pick<HeldDatabase, "alone">,
  signal: AbortSignal,
): Promise<void> {
  const { wakeUpSource, log, own } = removing;
  const removeUnlessNeeded = async (): Promise<{ readonly missing?: string | undefined }> => {
    const others = await othersUnderWay(removing, own);
    const isNeeded = others.some(({ journal }) => EFFECTS[journal.strategy].stops);
    return isNeeded ? {} : wakeUpSource.remove(signal);
  };
  const { missing } = await alone(removeUnlessNeeded).catch((error: unknown) => ({
    missing: asDormouseError(error).message,
  }));
  if (missing !== undefined) log.warn("ping source not removed", { error: missing });
}
