import * as z from "zod";
import type { OwnDatabase } from "../../../shared/postgres/databases/own-database.ts";
import { EFFECTS, STRATEGIES } from "../plan/strategy.ts";
import { WORKLOAD_KINDS } from "../workloads/workload.ts";

/**
 * How far a restore is, each written before it is begun. What lies before `stopping` has changed nothing that an
 * application sees; whether `swapping` happened, the databases of the server show. `rolling-back` is for
 * good.
 */
const JOURNAL_PHASES = [
  "loading",
  "loaded",
  "stopping",
  "swapping",
  "starting",
  "ended",
  "rolling-back",
] as const;
export type JournalPhase = (typeof JOURNAL_PHASES)[number];

const replicas = z.object({
  kind: z.enum(WORKLOAD_KINDS),
  name: z.string(),
  replicas: z.int().nonnegative(),
});

const journalSchema = z.object({
  strategy: z.enum(STRATEGIES),
  phase: z.enum(JOURNAL_PHASES),
  database: z.string(),
  /** Name of the backup; for `undo` of the run that is undone. */
  source: z.string(),
  /** The database that is loaded, or that an undo brings back. Ours by its name, which holds the run's. */
  loaded: z.string(),
  /** What the caller asked of the load. */
  owner: z.literal("current").optional(),
  compare: z.literal("values").optional(),
  leaveOut: z.array(z.string()).readonly().optional(),
  createRoles: z.boolean().optional(),
  /** The roles that it creates; which of them are its own, the server shows. */
  roles: z.array(z.string()).optional(),
  /** What `beside` calls it in the end. */
  target: z.string().optional(),
  /** What the live database is called once it has been swapped; absent when there was none. */
  kept: z.string().optional(),
  /** As they were before the first of them was stopped; absent until then. */
  workloads: z.array(replicas).optional(),
  /** The connection limit that an in-place restore has lowered. */
  connectionLimit: z.int().optional(),
  /** The transaction in which an in-place restore replaces all content; the server knows whether it was committed. */
  transaction: z.string().optional(),
  /** The backup that an in-place restore took first, by which it can be undone. */
  safety: z.string().optional(),
  /** What a loaded database was found to hold, for the result, whichever process comes to give it. */
  compared: z
    .object({
      tables: z.int(),
      rows: z.int(),
      by: z.enum(["values", "counts"]).default("counts"),
      onlyCounted: z.array(z.string()).readonly().optional(),
    })
    .optional(),
  /** Until when what was kept stays, as the server has said. */
  keptUntil: z.iso.datetime().optional(),
  /** When applications lost the database. */
  downSince: z.iso.datetime().optional(),
  /** When the last pod had ended. */
  stoppedAt: z.iso.datetime().optional(),
});

/** What a killed restore needs to be finished or undone by another process: it lies in the record of its run. */
export type RestoreJournal = z.output<typeof journalSchema>;
export type RecordedReplicas = z.output<typeof replicas>;

/** The journal in the record of a run; `undefined` when the run had not begun to change anything. */
export function parseJournal(journal: unknown): RestoreJournal | undefined {
  return journal === undefined ? undefined : journalSchema.parse(journal);
}

/** The database that a restore makes to load into; absent for strategies that make none. */
export function ownDatabase(
  { strategy, database }: Pick<RestoreJournal, "strategy" | "database">,
  run: string,
): OwnDatabase | undefined {
  const role = EFFECTS[strategy].loads;
  return role && { live: database, role, run };
}

/** What the server says about the databases, and the transaction, that a journal names. */
type DatabasesFound = {
  /** Whether one of them is marked as under way by this run: without that nothing is done any more. */
  readonly underWay: boolean;
  readonly live: boolean;
  readonly loaded: boolean;
  readonly kept: boolean;
  /** Whether the transaction of an in-place restore was committed. */
  readonly replaced: boolean;
};

/**
 * What becomes of an unfinished restore whose process is gone.
 * - `finish`: the swap has happened; open what is live and start the workloads
 * - `continue`: the loaded database is whole; stop, swap, start
 * - `again`: nothing an application sees has changed; load once more
 * - `roll-back`: leave the live database as it is, drop what was loaded, start the workloads
 * - `start`: the live database is gone, and with it what the server said: only what was stopped is started
 * - `record-end`: all of it is done, and only its end was not recorded
 * - `forget`: it was taken back, or had begun nothing; or an old journal has taken the place of the record
 */
export type NextStep = "finish" | "continue" | "again" | "roll-back" | "start" | "record-end" | "forget";

export function nextStep(journal: RestoreJournal, found: DatabasesFound, mayGoOn: boolean): NextStep {
  const { strategy, phase } = journal;
  if (!found.underWay) return whenOver(journal, found);
  if (phase === "rolling-back") return "roll-back";
  if (isDone(journal, found)) return "finish";
  if (!mayGoOn) return "roll-back";
  if (!EFFECTS[strategy].swaps || phase === "loading") return "again";
  return found.loaded ? "continue" : "roll-back";
}

function whenOver(journal: RestoreJournal, found: DatabasesFound): NextStep {
  const { strategy, phase } = journal;
  if (!found.live && EFFECTS[strategy].stops && phase !== "ended") return "start";
  return phase !== "rolling-back" && isDone(journal, found) ? "record-end" : "forget";
}

/** Whether what cannot be taken back has happened. A swap changes both names at once, so that either shows it. */
function isDone({ strategy, phase, kept }: RestoreJournal, found: DatabasesFound): boolean {
  const isPast = phase === "starting" || phase === "ended";
  const { replaces, drops, stops } = EFFECTS[strategy];
  if (replaces || drops) return isPast || found.replaced;
  if (found.loaded || phase === "loading") return false;
  if (!stops || kept === undefined) return found.live || !stops;
  return found.kept;
}
