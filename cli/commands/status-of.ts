import type { Backup, Catalog, Run } from "../wire.ts";
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
  /** What a person has to do, and what it is about. */
  readonly todo: readonly string[];
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
  readonly backupRuns: readonly Run[];
  readonly restoreRuns: readonly Run[];
  readonly warnings: readonly string[];
  readonly now: number;
};

export function readStatus(asked: Asked, unknown: readonly string[]): Status {
  const { catalog, backupRuns, restoreRuns } = asked;
  const own = catalog.backups.filter(({ elsewhere }) => elsewhere === undefined);
  const names = [...own, ...backupRuns, ...restoreRuns].map(({ database }) => database);
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
  const backupRuns = asked.backupRuns.filter((run) => run.database === database);
  const restoreRuns = asked.restoreRuns.filter((run) => run.database === database);
  const hasBucket = backups.some(({ places }) => places?.includes("bucket"));
  const known = {
    database,
    newest,
    before,
    lostMs: newest && now - Date.parse(newest.startedAt),
    recovery: newest && recoveryTime(restoreRuns, backups, newest),
    notInBucket: hasBucket ? bucketLag(backups) : undefined,
    lastBackupRun: backupRuns[0],
    lastRehearsal: restoreRuns.find(
      ({ request, state }) => request["strategy"] === "rehearse" && state === "succeeded",
    ),
    undo: catalog.undo ?? [],
  };
  return { ...known, todo: todoOf(known, asked.warnings) };
}

/** The newest ones that only the volume has: what a bucket keeps fewer of is no lag. */
function bucketLag(backups: readonly Backup[]): number {
  const first = backups.findIndex(({ places }) => places?.includes("bucket"));
  return first === -1 ? backups.length : first;
}

function todoOf(known: Omit<DatabaseStatus, "todo">, warnings: readonly string[]): string[] {
  const { database, newest, notInBucket = 0 } = known;
  const whose = `${JSON.stringify(database)}: `;
  const stale = warnings.filter((detail) => detail.startsWith(whose));
  const { suspicion } = newest ?? {};
  return [
    ...(newest === undefined ? ["there is no proven backup: take one with `backup`"] : []),
    ...failedBackup(known),
    ...(suspicion === undefined
      ? []
      : [
          `the newest backup is suspect: ${suspicion.detail}; look with \`diff\`, then \`acknowledge\` it or restore`,
        ]),
    ...stale.map((detail) => `backups are stale: ${detail.slice(whose.length)}`),
    ...(notInBucket > 1 ? [`the bucket lacks the newest ${notInBucket} backups: look with \`doctor\``] : []),
  ];
}

function failedBackup({ newest, lastBackupRun }: Omit<DatabaseStatus, "todo">): string[] {
  if (lastBackupRun?.state !== "failed" || lastBackupRun.acceptedAt < (newest?.startedAt ?? "")) return [];
  const { message = "for a reason that is not known", hint } = lastBackupRun.problem ?? {};
  return [`the last backup failed: ${message}${hint === undefined ? "" : `; ${hint}`}`];
}
