import type { ErrorCode, Problem } from "../errors.ts";

/** What a run of all databases has as its database: no database of PostgreSQL has the empty name. */
export const ALL_DATABASES = "";

/** The database of a run as answers and events name it; `*` stands for all. */
export function nameOf({ database }: Pick<Run, "database">): string {
  return database === ALL_DATABASES ? "*" : database;
}

export const RUN_STATES = ["accepted", "running", "succeeded", "failed", "interrupted"] as const;
/**
 * `accepted` is recorded but holds no lock yet; `running` holds the lock of its database. `interrupted` ended without
 * an answer, by a kill or by SIGTERM, and is resumed while it is young.
 */
type RunState = (typeof RUN_STATES)[number];

/** What asked for a run: an event's source and id, or a caller's Idempotency-Key, or nothing but a request. */
export type Trigger = {
  readonly source: string;
  readonly id: string;
  /** The event's own time. With a source it names the slot of a schedule: the minute. */
  readonly at?: Date | undefined;
  /** What an event asks for, as text: with other data it is another event, whatever it calls itself. A person has none. */
  readonly data?: string | undefined;
};

export type RunStep = {
  readonly step: string;
  readonly at: Date;
  readonly detail?: Readonly<Record<string, unknown>>;
};

/** What became of a run, as `shared/events` sends it; each feature declares its own. */
export type OutcomeEvent = {
  /** `dev.dormouse.<what>.<outcome>` */
  readonly type: `dev.dormouse.${string}`;
  /** What it is about: a backup, a database, a place. */
  readonly subject: string;
  readonly data: object;
};

export type KeptDatabase = { readonly database: string; readonly until: Date };

/** One execution of a function, as it lies on the volume. */
export type Run = {
  readonly id: string;
  readonly kind: "backup" | "cull" | "restore";
  readonly state: RunState;
  readonly database: string;
  readonly trigger: Trigger;
  /** The parsed request, so that a run can be resumed. */
  readonly request: Readonly<Record<string, unknown>>;
  /** The caller, if known. */
  readonly caller?: string | undefined;
  /** W3C Trace Context of what asked for it, as it came. */
  readonly traceparent?: string | undefined;
  /** Names of the backups that the run needs until it has ended: no cull removes them. */
  readonly uses?: readonly string[] | undefined;
  /** What a restore has done and is about to do, so that it can be resumed or rolled back; see `journal.ts`. */
  readonly journal?: unknown;
  /** The database that a restore took out of use and keeps for undoing; dropped when its time is over. */
  readonly kept?: KeptDatabase | undefined;
  readonly attempt: number;
  readonly acceptedAt: Date;
  readonly updatedAt: Date;
  readonly finishedAt?: Date | undefined;
  readonly steps: readonly RunStep[];
  /** Present when `succeeded`. */
  readonly result?: unknown;
  /** Present when `failed` or `interrupted`. */
  readonly problem?: Problem | undefined;
  /** Of a run that has ended: events that may not have been sent yet. A process that finds them sends them. */
  readonly untold?: readonly OutcomeEvent[] | undefined;
};

/** What an operation knows of its run, and what it records there. */
export type RunContext = {
  readonly run: Run;
  /** Whether an earlier process had begun it: that one may still be ending, and its record may be newer than `run`. */
  readonly isResumed: boolean;
  /**
   * The record as it stands on the volume, with one more attempt unless this process is the first to have it; what is
   * recorded from now on builds on it. For the new holder of the lock: another process may have had it before.
   */
  readonly refresh: () => Promise<Run>;
  /** Aborts when the process must end: stop, leave nothing half, and throw the reason. */
  readonly signal: AbortSignal;
  /** Past tense, one word: `dumped`. It is on disk, and waiting callers have it, before it resolves. */
  readonly step: (step: string, detail?: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Puts what the run uses, or its journal, on disk before it resolves. */
  readonly amend: (changes: Pick<Run, "uses" | "journal" | "kept">) => Promise<void>;
  /** The progress of a long step, for waiting callers; not recorded. */
  readonly progress: (detail: Readonly<Record<string, unknown>>) => void;
  /**
   * Begins `task` when those handed over before have ended; the pod is kept for the last of them. For what no caller must
   * wait for, be it for the lock or for the answer. `signal` is that of the run. `event` is in the record as `untold`
   * until the task has resolved.
   */
  readonly meanwhile: (task: (signal: AbortSignal) => Promise<void>, event?: OutcomeEvent) => void;
};

/** A record that cannot be believed, and why: `does not bear our seal`. What it says is to be looked at by a person. */
export type DoubtfulRecord = {
  readonly id: string;
  readonly why: string;
  readonly says?: Pick<Run, "database" | "journal">;
};

export type NewRun = Pick<Run, "kind" | "database" | "trigger" | "request" | "caller" | "traceparent">;

/** What else has a say before a new run is recorded. */
export type Admission = {
  /** Throws where there is no room for one more. */
  readonly admit?: (() => void) | undefined;
  /** The one of these runs that does for the new one as well; asked for one wanted run after the other. */
  readonly answeredBy?: ((known: readonly Run[]) => Promise<Run | undefined>) | undefined;
};

export type RunStore = {
  /**
   * The run that this trigger has already, or a new one in state `accepted`, on disk before it resolves. A run that
   * failed is new again: under its id, with one more attempt and without the steps of those before. Two callers
   * with one trigger get one run, also from two processes. A trigger is the same by source and id, or by source and
   * the minute of `at`, and by its data; for another database it is another one. Throws `idempotency_key_reused` when a
   * person's key comes with another request, and what `admit` throws.
   */
  begin(run: NewRun, admission?: Admission): Promise<{ readonly run: Run; readonly isNew: boolean }>;
  /** Replaces the record durably. */
  update(run: Run): Promise<void>;
  /** Throws `record_unsealed` for one that this function did not write. */
  find(id: string): Promise<Run | undefined>;
  /** All records of a kind that can be believed, oldest first, without their results. */
  all(kind: Run["kind"]): Promise<readonly Run[]>;
  /**
   * Those of a database in state `accepted`, `running` or `interrupted`, oldest first. A volume may have the runs of
   * several databases, each with functions of its own.
   */
  unfinished(kind: Run["kind"], database: string): Promise<readonly Run[]>;
  /** Those that cannot be believed, and may be of runs of such databases which have not ended. */
  doubtful(kind: Run["kind"], covers: (database: string) => boolean): Promise<readonly DoubtfulRecord[]>;
  /**
   * The backups that unfinished runs of any kind need, each with the name of such a run. Throws `catalog_unreadable`
   * when a record cannot be read: what it needs is unknown, and so is what may be removed.
   */
  inUse(): Promise<ReadonlyMap<string, string>>;
};

/** The backups that a run needs: a restore needs the one that it was asked for before it has said so itself. */
export function listUses({ kind, uses = [], request }: Run): readonly string[] {
  const asked = kind === "restore" ? request["filename"] : undefined;
  return typeof asked === "string" ? [...uses, asked] : uses;
}

/** What ends a process's part in a run, and not the run: the next one goes on with it, or another has it already. */
export function isOwnedElsewhere(code: ErrorCode): boolean {
  return code === "rollback_pending" || code === "run_superseded";
}

/** Whether a process carries it out, or will have to. */
export function isUnfinished({ state }: Run): boolean {
  return state !== "succeeded" && state !== "failed";
}
