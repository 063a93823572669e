import type { Schedule } from "../session.ts";
import type { Backup, Catalog, Examination, Run } from "../wire.ts";
import { nextPing } from "./next-ping.ts";
import { recoveryTime, type RecoveryTime } from "./recovery-time.ts";

/** What is known of one database. */
export type DatabaseStatus = {
  readonly database: string;
  /** The newest backup: without a proof there is none. */
  readonly newest: Backup | undefined;
  readonly before: Backup | undefined;
  /** What would be lost if the database died now. */
  readonly lostMs: number | undefined;
  readonly recovery: RecoveryTime | undefined;
  /** On the volume and not in the bucket; `undefined` without a bucket. */
  readonly notInBucket: number | undefined;
  readonly lastBackupRun: Run | undefined;
  readonly lastRehearsal: Run | undefined;
  readonly undo: Catalog["undo"];
  /** When the next backup is asked for, where the schedules can be seen. */
  readonly nextPing: string | undefined;
  readonly todo: readonly Todo[];
};

/** Something for the operator to do. */
export type Todo = {
  readonly kind: "none" | "failed" | "suspect" | "unproved" | "stale" | "bucket";
  /** What is the matter. */
  readonly text: string;
  /** The remedy, if one is known; commands of this program in backquotes. */
  readonly advice: string | undefined;
};

export type Status = {
  readonly healthy: boolean;
  readonly databases: readonly DatabaseStatus[];
  /** What could not be asked. */
  readonly unknown: readonly string[];
  readonly bucketProblem: Catalog["bucketProblem"];
};

export type Asked = {
  readonly catalog: Catalog;
  readonly runs: readonly Run[];
  /** Of the cull function's doctor. */
  readonly findings: Examination["findings"];
  readonly schedules: readonly Schedule[] | undefined;
  readonly now: number;
};

export function readStatus(asked: Asked, unknown: readonly string[]): Status {
  const { catalog, runs } = asked;
  const own = catalog.backups.filter(({ elsewhere }) => elsewhere === undefined);
  const ofDatabase = runs.filter(({ kind }) => kind !== "cull");
  // A run over all databases is of none: its name is empty.
  const names = [...own, ...ofDatabase].map(({ database }) => database).filter((name) => name !== "");
  const databases = [...new Set(names)].toSorted().map((database) => databaseStatus(database, own, asked));
  const healthy =
    databases.length > 0 &&
    databases.every(({ todo }) => todo.length === 0) &&
    catalog.bucketProblem === undefined;
  return {
    healthy: healthy && unknown.length === 0,
    databases,
    unknown,
    bucketProblem: catalog.bucketProblem,
  };
}

function databaseStatus(database: string, all: readonly Backup[], asked: Asked): DatabaseStatus {
  const { catalog, now } = asked;
  const backups = all.filter((backup) => backup.database === database);
  const [newest, before] = backups;
  const runs = asked.runs.filter((run) => run.database === database);
  const restoreRuns = runs.filter(({ kind }) => kind === "restore");
  const hasBucket = backups.some(({ places }) => places?.includes("bucket"));
  const known = {
    database,
    newest,
    before,
    lostMs: newest && now - Date.parse(newest.startedAt),
    recovery: newest && recoveryTime(restoreRuns, backups, newest),
    notInBucket: hasBucket ? bucketLag(backups) : undefined,
    lastBackupRun: asked.runs.find((run) => isBackupOf(run, database)),
    lastRehearsal: restoreRuns.find(
      ({ request, state }) => request["strategy"] === "rehearse" && state === "succeeded",
    ),
    undo: (catalog.undo ?? []).filter(({ live }) => live === database),
    nextPing: nextPing(asked.schedules, now),
  };
  return { ...known, todo: todoOf(known, asked.findings) };
}

/** Or of all, where that failed before it came to any. */
function isBackupOf({ kind, database, problem }: Run, wanted: string): boolean {
  if (kind !== "backup") return false;
  if (database !== "") return database === wanted;
  return problem !== undefined && problem.code !== "sweep_incomplete";
}

/** The newest ones that only the volume has: what a bucket keeps fewer of is no lag. */
function bucketLag(backups: readonly Backup[]): number {
  const first = backups.findIndex(({ places }) => places?.includes("bucket"));
  return first === -1 ? backups.length : first;
}

function todoOf(known: Omit<DatabaseStatus, "todo">, findings: Examination["findings"]): Todo[] {
  const { database, newest } = known;
  const stale = findings.filter(
    (each) => each.check === "backups" && each.state !== "good" && each.database === database,
  );
  return [
    ...(newest === undefined ? [NO_BACKUP] : []),
    ...failedBackup(known),
    ...suspect(known),
    ...unproved(known),
    ...stale.map(({ detail, fix }): Todo => ({ kind: "stale", text: detail, advice: fix })),
    ...behind(known),
  ];
}

const NO_BACKUP: Todo = {
  kind: "none",
  text: "there is no proven backup",
  advice: "take one with `backup`",
};

type Known = Omit<DatabaseStatus, "todo">;

function failedBackup({ newest, lastBackupRun }: Known): Todo[] {
  if (lastBackupRun?.state !== "failed" || lastBackupRun.acceptedAt < (newest?.startedAt ?? "")) return [];
  const { message = "for a reason that is not known", hint } = lastBackupRun.problem ?? {};
  return [{ kind: "failed", text: `the last backup failed: ${message}`, advice: hint }];
}

function suspect({ newest }: Known): Todo[] {
  if (newest?.suspicion === undefined) return [];
  const advice = "look with `diff`, then `acknowledge` it or restore";
  return [{ kind: "suspect", text: `the newest backup is suspect: ${newest.suspicion.detail}`, advice }];
}

function unproved({ newest }: Known): Todo[] {
  const failed = newest?.manifest.verification.failed;
  if (failed === undefined) return [];
  const text = `the rehearsal of the newest backup failed: ${failed.message}`;
  return [
    {
      kind: "unproved",
      text,
      advice: `look with \`run ${failed.run}\`, take another backup and rehearse it`,
    },
  ];
}

/** One backup may just be on its way. */
function behind({ notInBucket = 0 }: Known): Todo[] {
  if (notInBucket < 2) return [];
  const text = `the bucket lacks the newest ${notInBucket} backups`;
  return [{ kind: "bucket", text, advice: "look with `doctor`" }];
}
