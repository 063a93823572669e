import { isUnfinished, type Run, type RunStore } from "../backup/run.ts";
import { asDormouseError } from "../errors.ts";
import type { Log } from "../log.ts";

type Dependencies = {
  readonly runs: RunStore;
  readonly log: Log;
  readonly now: () => Date;
  readonly drop: (database: string, signal: AbortSignal) => Promise<void>;
};

/**
 * Drops the databases that restores kept for undoing and whose time is over: those, and only those, that the record of a
 * run of the live database `live` names. For who holds the lock of that. One that cannot be dropped is told of and tried again by the next run; it fails nothing.
 */
export async function dropExpired(
  { runs, log, now, drop }: Dependencies,
  live: string,
  signal: AbortSignal,
): Promise<void> {
  for (const { database, run } of await expired({ runs, now }, live)) {
    try {
      await drop(database, signal);
      await runs.update({ ...run, kept: undefined });
      log.info("kept database dropped", { run: run.id, database });
    } catch (error) {
      const { code, message } = asDormouseError(error);
      log.warn("kept database not dropped", { run: run.id, database, code, error: message });
    }
  }
}

type Expired = { readonly database: string; readonly run: Run };

/** What there is to drop: it is asked without the lock, too, for which nobody should wait in vain. */
export async function expired(
  { runs, now }: Pick<Dependencies, "runs" | "now">,
  live: string,
): Promise<readonly Expired[]> {
  return (await runs.all("restore")).flatMap((run) => {
    const isOver = !isUnfinished(run) && run.kept !== undefined && run.kept.until <= now();
    return isOver && run.database === live && run.kept !== undefined
      ? [{ database: run.kept.database, run }]
      : [];
  });
}
