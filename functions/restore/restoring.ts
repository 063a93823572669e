import type { CopiedArchives } from "../../shared/catalog/archives/archive-file.ts";
import type { DatabaseChoice } from "../../shared/config/database-choice.ts";
import type { VolumeCatalog } from "../../shared/catalog/catalog.ts";
import type { MergedCatalog } from "../../shared/catalog/merged-catalog.ts";
import type { HeldDatabase } from "../../shared/postgres/databases/held-database.ts";
import type { LoadChoice } from "../../shared/postgres/load/load-choice.ts";
import type { RestoreServer } from "../../shared/postgres/databases/restore-server.ts";
import { isUnfinished, type KeptDatabase, type Run, type RunContext } from "../../shared/run/run.ts";
import type { BackupDependencies } from "../../shared/backup/taking-backup.ts";
import { DormouseError } from "../../shared/errors.ts";
import { parseJournal, type RestoreJournal } from "./journal/journal.ts";
import type { WakeUpSource, Workload, Workloads } from "./workloads/workload.ts";

export type RestoreSettings = {
  readonly database: string;
  /** A backup that holds so much less than the last good one is reported as suspect. */
  readonly suspectDropPercent: number;
  /** Started in this order, stopped in the reverse. */
  readonly workloads: readonly Workload[];
  /** Whether another database of the installation has any of them, too. */
  readonly shares: (database: string) => boolean;
  readonly undoForMs: number;
  readonly stopLimitMs: number;
  readonly readyLimitMs: number;
  /** How long another run of the database is waited for before a restore begins. */
  readonly busyForMs: number;
  /** Connections of pg_restore in a rehearsal, which takes its time. */
  readonly rehearsalJobs: number;
  /** Between rehearsals that events ask for. */
  readonly minIntervalMs: number;
  /** How large the server's disk is, where the operator says so. */
  readonly serverDiskBytes?: number | undefined;
};

/** What the function restores with: one for all its runs. What it takes a safety backup with is among it. */
export type RestoreDependencies = BackupDependencies & {
  readonly settings: RestoreSettings;
  /** Which databases the installation is for. */
  readonly choice: DatabaseChoice;
  /** What may be restored: of the volume, and of both places where there is a bucket. By the keys of a reader. */
  readonly volume: Pick<VolumeCatalog, "list">;
  readonly merged: MergedCatalog;
  readonly files: CopiedArchives;
  readonly server: RestoreServer;
  readonly workloads: Workloads;
  readonly wakeUpSource: WakeUpSource;
};

/** Of several databases the one that is meant; the run bears it as well. */
type OfDatabase = { readonly database?: string };

export type RestoreRequest = OfDatabase &
  (
    | (LoadChoice & {
        readonly kind: "restore";
        readonly filename: string;
        readonly strategy: "swap" | "in-place" | "rehearse" | "beside";
        /** The database that `beside` makes. */
        readonly target?: string | undefined;
        /** Lifts the blocker of a backup that another installation took. */
        readonly fromElsewhere?: boolean | undefined;
        /** Nothing is to be done where the latest backup has been proved. */
        readonly ifUnproven?: boolean | undefined;
        readonly dryRun: boolean;
      })
    | { readonly kind: "undo"; readonly run: string; readonly dryRun: boolean }
  );

/** What a plan is made with, which touches nothing. */
export type Planning = RestoreDependencies & Pick<RunContext, "signal">;

/** One restore: what it works with, its run, and its journal, which is on disk before what it announces is begun. */
export type OpenRestore = RestoreDependencies & RunContext & { readonly entries: Entries };

/** Under the lock of the database, with whose loss its signal ends as well. */
export type Restoring = OpenRestore & { readonly held: HeldDatabase };

/** The last entry of the journal, for all that work on this restore; not on disk where it is unwritten. */
type Entries = { last: RestoreJournal | undefined; isUnwritten: boolean };

export function openRestore(deps: RestoreDependencies, context: RunContext): OpenRestore {
  const entries = { last: parseJournal(context.run.journal), isUnwritten: false };
  return { ...deps, ...context, entries };
}

export function underLock(open: OpenRestore, held: HeldDatabase): Restoring {
  return { ...open, held, signal: AbortSignal.any([open.signal, held.lost]) };
}

/** Throws when the run has changed nothing yet. */
export function readJournal({ entries }: OpenRestore): RestoreJournal {
  if (entries.last === undefined) throw new DormouseError("internal", "a restore has no journal yet");
  return entries.last;
}

export function hasBegun({ entries }: OpenRestore): boolean {
  return entries.last !== undefined;
}

export async function beginJournal({ entries, amend }: Restoring, journal: RestoreJournal): Promise<void> {
  entries.last = journal;
  await amend({ journal });
}

export async function writeJournal(
  restoring: Restoring,
  changes: Partial<RestoreJournal>,
  kept?: KeptDatabase,
): Promise<void> {
  const journal = { ...readJournal(restoring), ...changes };
  restoring.entries.last = journal;
  await restoring.amend(kept === undefined ? { journal } : { journal, kept });
}

/**
 * Under the lock: believes what the record says now, and answers it. Another process may have had the run since it was
 * read. Throws `run_superseded` when that one has ended it.
 */
export async function refreshJournal({ entries, refresh }: Restoring): Promise<Run> {
  const run = await refresh();
  refuseEnded(run);
  entries.last = parseJournal(run.journal);
  return run;
}

/** Throws `run_superseded` where another has ended the run: nothing of it is left to do. */
export function refuseEnded(run: Run): void {
  if (isUnfinished(run)) return;
  throw new DormouseError("run_superseded", `restore ${run.id} has ${run.state} by another run or process`, {
    hint: `GET /runs/${run.id} shows how`,
  });
}

/** The same restore, to which a volume that takes no more records is no reason to leave an application down. */
export function bestEffort(restoring: Restoring): Restoring {
  const { amend, step, entries, log, run } = restoring;
  const tried = async (writing: Promise<void>) => {
    try {
      await writing;
      entries.isUnwritten = false;
    } catch (error) {
      entries.isUnwritten = true;
      log.warn("journal not written", { run: run.id, error: String(error) });
    }
  };
  return {
    ...restoring,
    amend: (changes) => tried(amend(changes)),
    step: (name, detail) => tried(step(name, detail)),
  };
}
