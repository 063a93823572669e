import type { HeldDatabase } from "../../../shared/postgres/databases/held-database.ts";
import { parseJournal, type RestoreJournal } from "./journal.ts";
import type { KeptDatabase, Run, RunContext } from "../../../shared/run/run.ts";
import { DormouseError } from "../../../shared/errors.ts";
import type { Log } from "../../../shared/log.ts";

/** The journal of one restore, which is on disk before what it announces is begun. */
export type JournaledRun = {
  readonly context: RunContext;
  /** Throws when the run has changed nothing yet. */
  journal(): RestoreJournal;
  hasBegun(): boolean;
  /**
   * Once it holds the lock: believes what the record says now, and answers it. Another process may have had the run
   * since it was read. Throws `run_superseded` when that one has ended it.
   */
  refresh(): Promise<Run>;
  begin(journal: RestoreJournal): Promise<void>;
  write(changes: Partial<RestoreJournal>, kept?: KeptDatabase): Promise<void>;
  /** The same saga, which also stops when the lock is lost. */
  within(held: HeldDatabase): JournaledRun;
  /** The same saga, to which a volume that takes no more records is no reason to leave an application down. */
  bestEffort(log: Log): JournaledRun;
  /** Whether the record lacks what was written last. */
  hasUnwrittenEntry(): boolean;
};

export function openJournal(context: RunContext): JournaledRun {
  let journal = parseJournal(context.run.journal);
  let behind = false;

  function current(): RestoreJournal {
    if (journal === undefined) throw new DormouseError("internal", "a restore has no journal yet");
    return journal;
  }

  async function refresh(own: RunContext): Promise<Run> {
    const run = await own.refresh();
    if (run.state === "succeeded" || run.state === "failed") throw settledElsewhere(run);
    journal = parseJournal(run.journal);
    return run;
  }

  function saga(own: RunContext): JournaledRun {
    return {
      context: own,
      journal: current,
      hasBegun: () => journal !== undefined,
      refresh: () => refresh(own),
      async begin(begun) {
        journal = begun;
        await own.amend({ journal });
      },
      async write(changes, kept) {
        journal = { ...current(), ...changes };
        await own.amend(kept === undefined ? { journal } : { journal, kept });
      },
      bestEffort: (log) => saga(tolerantly(own, log, (hasUnwrittenEntry) => (behind = hasUnwrittenEntry))),
      hasUnwrittenEntry: () => behind,
      within: ({ lost }) => saga({ ...own, signal: AbortSignal.any([own.signal, lost]) }),
    };
  }
  return saga(context);
}

function tolerantly(own: RunContext, log: Log, tell: (hasUnwrittenEntry: boolean) => void): RunContext {
  const tried = async (writing: Promise<void>) => {
    try {
      await writing;
      tell(false);
    } catch (error) {
      tell(true);
      log.warn("journal not written", { run: own.run.id, error: String(error) });
    }
  };
  return {
    ...own,
    amend: (changes) => tried(own.amend(changes)),
    step: (name, detail) => tried(own.step(name, detail)),
  };
}

function settledElsewhere({ id, state }: Run): DormouseError {
  return new DormouseError("run_superseded", `restore ${id} has ${state} in another process`, {
    hint: `GET /runs/${id} tells how`,
  });
}
