import { isAbandoned, type Leftover, type VolumeCatalog } from "../catalog/catalog.ts";
import { isUnfinished, type Run, type RunStore } from "./run.ts";
import { asDormouseError } from "../errors.ts";
import type { Log } from "../log.ts";

type Dependencies = {
  readonly catalog: Pick<VolumeCatalog, "leftovers" | "sweep">;
  readonly runs: Pick<RunStore, "find">;
  readonly log: Log;
};

/**
 * Removes, before `own` writes anything, what it and other runs of its database not dropped half done: runs of any kind that
 * have ended, and `halted` ones, which cannot be writing because the caller holds the lock of the database. A run without
 * a record that can be believed may be another database's: what it wrote goes when nothing of it has changed for a day.
 * What cannot be removed costs room and no backup: the next run tries again.
 */
export async function sweepLeftovers(deps: Dependencies, own: Run, halted: readonly Run[]): Promise<void> {
  const isOurs = (id: string) => id === own.id || halted.some((run) => run.id === id);
  try {
    for (const left of await deps.catalog.leftovers())
      if (isOurs(left.run) || (await isOver(deps, own, left))) await deps.catalog.sweep(left.run);
  } catch (error) {
    const { code, message } = asDormouseError(error);
    deps.log.warn("leftovers not swept", { run: own.id, code, error: message });
  }
}

async function isOver({ runs }: Dependencies, { database }: Run, left: Leftover): Promise<boolean> {
  const record = await runs.find(left.run).catch(() => undefined);
  if (record === undefined) return isAbandoned(left, new Date());
  return record.database === database && !isUnfinished(record);
}
