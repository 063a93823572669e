import type { HeldDatabase } from "../backup/database-lock.ts";
import { parseJournal, type RestoreJournal } from "../backup/journal.ts";
import type { KeptDatabase, Run, RunContext } from "../backup/run.ts";
import { DormouseError } from "../errors.ts";
import type { Log } from "../log.ts";

/** The journal of one restore, which is on disk before what it announces is begun. */
export type Saga = {
  readonly context: RunContext;
  /** Throws when the run has changed nothing yet. */
  journal(): RestoreJournal;
  hasBegun(): boolean;
  /**
   * For a run that was taken up, once it holds the lock: believes what the record says now, and answers it. The process
   * that had it before may have gone on since it was read.
   */
  refresh(): Promise<Run>;
  begin(journal: RestoreJournal): Promise<void>;
  write(changes: Partial<RestoreJournal>, kept?: KeptDatabase): Promise<void>;
  /** The same saga, which also stops when the lock is lost. */
  within(held: HeldDatabase): Saga;
  /** The same saga, to which a volume that takes no more records is no reason to leave an application down. */
  tolerant(log: Log): Saga;
};

export function sagaOf(context: RunContext): Saga {
  let journal = parseJournal(context.run.journal);

  function current(): RestoreJournal {
    if (journal === undefined) throw new DormouseError("internal", "a restore has no journal yet");
    return journal;
  }

  function saga(own: RunContext): Saga {
    return {
      context: own,
      journal: current,
      hasBegun: () => journal !== undefined,
      async refresh() {
        const run = await own.refresh();
        journal = parseJournal(run.journal);
        return run;
      },
      async begin(begun) {
        journal = begun;
        await own.amend({ journal });
      },
      async write(changes, kept) {
        journal = { ...current(), ...changes };
        await own.amend(kept === undefined ? { journal } : { journal, kept });
      },
      tolerant(log) {
        const told = (error: unknown) =>
          log.warn("journal not written", { run: own.run.id, error: String(error) });
        return saga({
          ...own,
          amend: (changes) => own.amend(changes).catch(told),
          step: (name, detail) => own.step(name, detail).catch(told),
        });
      },
      within: ({ lost }) => saga({ ...own, signal: AbortSignal.any([own.signal, lost]) }),
    };
  }
  return saga(context);
}
