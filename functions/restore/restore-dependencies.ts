import type { CopiedArchives } from "../../shared/catalog/archives/archive-file.ts";
import type { VolumeCatalog } from "../../shared/catalog/catalog.ts";
import type { MergedCatalog } from "../../shared/catalog/merged-catalog.ts";
import type { HeldDatabase } from "../../shared/postgres/databases/held-database.ts";
import type { DatabaseLock } from "../../shared/postgres/session/advisory-lock.ts";
import type { BackupManifest } from "../../shared/catalog/manifest.ts";
import type { Expired } from "../../shared/postgres/databases/own-database.ts";
import type { DatabaseInspection } from "../../shared/postgres/preflight.ts";
import type { LoadChoice } from "../../shared/postgres/databases/load-choice.ts";
import type { RestoreServer } from "../../shared/postgres/databases/restore-port.ts";
import type { RunContext, RunStore } from "../../shared/run/run.ts";
import type { WakeUpSource, Workload, Workloads } from "./workloads/workload.ts";
import type { Log } from "../../shared/log.ts";
import type { BackupDependencies } from "../../shared/backup/taking-backup.ts";
import type { EventSink } from "../../shared/events/event-sink.ts";

export type RestoreSettings = {
  readonly database: string;
  /** A backup that holds so much less than the last good one is told as suspect. */
  readonly suspectDropPercent: number;
  /** Started in this order, stopped in the reverse. */
  readonly workloads: readonly Workload[];
  readonly undoForMs: number;
  readonly stopLimitMs: number;
  readonly readyLimitMs: number;
  /** How long another run of the database is waited for before a restore begins. */
  readonly busyForMs: number;
  /** How long putting things in order is tried before it is left to the next process. */
  readonly settleForMs: number;
};

/** The ports and clocks that restoring needs. */
export type RestoreDependencies = {
  readonly settings: RestoreSettings;
  /** Of both places, where there is a bucket. */
  readonly catalog: MergedCatalog;
  readonly volume: Pick<VolumeCatalog, "list" | "leftovers" | "sweep">;
  readonly files: CopiedArchives;
  readonly runs: RunStore;
  readonly lock: DatabaseLock;
  readonly server: RestoreServer;
  readonly systemIdentifier: BackupDependencies["systemIdentifier"];
  readonly installation: BackupDependencies["installation"];
  /** What a dump by this role would lack. */
  readonly inspect: (database: string, signal: AbortSignal) => Promise<DatabaseInspection>;
  readonly workloads: Workloads;
  readonly wakeUpSource: WakeUpSource;
  readonly expired: Expired;
  /** A pinned backup of the live database, by the run itself and under the lock that it holds. */
  readonly safetyBackup: (held: HeldDatabase, context: RunContext) => Promise<BackupManifest>;
  readonly events: EventSink;
  readonly log: Log;
  readonly now: () => Date;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
};

export type RestoreRequest =
  | (LoadChoice & {
      readonly kind: "restore";
      readonly filename: string;
      readonly strategy: "swap" | "in-place" | "rehearse" | "beside";
      /** The database that `beside` makes. */
      readonly target?: string | undefined;
      /** Lifts the blocker of a backup that another installation took. */
      readonly fromElsewhere?: boolean | undefined;
      readonly dryRun: boolean;
    })
  | { readonly kind: "undo"; readonly run: string; readonly dryRun: boolean };
