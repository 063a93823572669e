import { parseArchiveName } from "../../catalog/archive-name.ts";
import { nameOf, type Run } from "../../run/run.ts";
import type { MetricName, Sample } from "./metric-list.ts";

export type Volume = {
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly freeInodes: number;
};

type Known = Readonly<Partial<Record<MetricName, number | undefined>>>;
type Backup = {
  readonly startedAt?: string;
  readonly archive?: { readonly sizeBytes?: number };
  readonly content?: { readonly databaseBytes?: number; readonly rows?: number };
  readonly verification?: { readonly level?: string };
};
type Restore = { readonly strategy?: string; readonly downtimeMs?: number };
type Planned = {
  readonly database: string;
  readonly keep: readonly unknown[];
  readonly remaining?: unknown;
  readonly suspicion?: unknown;
  readonly staleness?: unknown;
};
type Cull = {
  readonly databases?: readonly Planned[];
  readonly removed?: readonly { readonly database: string; readonly sizeBytes: number }[];
};

/** What a run that has ended says, by database: a cull is of several. What it does not know stays as it was pushed before. */
export function readMetrics(run: Run, volume: Volume | undefined): ReadonlyMap<string, readonly Sample[]> {
  const own = [
    ...toSamples({ ...ofRun(run), ...ofVolume(volume), ...OF_KIND[run.kind](run) }),
    ...phases(run),
  ];
  const culled = run.kind === "cull" && run.state === "succeeded" ? ofDatabases(run.result as Cull) : [];
  return new Map<string, readonly Sample[]>([[nameOf(run), own], ...culled]);
}

const OF_KIND: Readonly<Record<Run["kind"], (run: Run) => Known>> = {
  backup: (run) => ({ ...ofMirror(run), ...ofBackup((run.result ?? {}) as Backup) }),
  cull: () => ({}),
  restore: ofRestore,
};

function ofRun({ state, acceptedAt, finishedAt, steps }: Run): Known {
  const ended = seconds(finishedAt);
  return {
    dormouse_run_last_attempt_timestamp_seconds: ended,
    ...(state === "succeeded" ? { dormouse_run_last_success_timestamp_seconds: ended } : {}),
    dormouse_run_failed: state === "succeeded" ? 0 : 1,
    dormouse_run_duration_seconds: ended === undefined ? undefined : ended - acceptedAt.getTime() / 1000,
    dormouse_run_retries: steps.filter(({ step }) => step === "retrying").length,
  };
}

function phases({ acceptedAt, steps }: Run): readonly Sample[] {
  const taken = new Map<string, number>();
  let before = acceptedAt;
  for (const { step, at } of steps) {
    taken.set(step, (taken.get(step) ?? 0) + (at.getTime() - before.getTime()) / 1000);
    before = at;
  }
  return [...taken].map(([phase, value]) => ({
    name: "dormouse_run_phase_duration_seconds",
    value,
    labels: { phase },
  }));
}

function ofVolume(volume: Volume | undefined): Known {
  return {
    dormouse_volume_size_bytes: volume?.sizeBytes,
    dormouse_volume_free_bytes: volume?.freeBytes,
    dormouse_volume_free_inodes: volume?.freeInodes,
  };
}

function ofBackup({ startedAt, archive, content, verification }: Backup): Known {
  if (startedAt === undefined) return {};
  return {
    dormouse_backup_started_timestamp_seconds: seconds(new Date(startedAt)),
    dormouse_backup_archive_bytes: archive?.sizeBytes,
    dormouse_backup_database_bytes: content?.databaseBytes,
    dormouse_backup_rows: content?.rows,
    dormouse_backup_proof_level: verification?.level === "compared" ? 2 : 1,
  };
}

/** By the step of the mirror: where there is no bucket, there is none. */
function ofMirror({ steps, finishedAt }: Run): Known {
  const last = steps.findLast(({ step }) => step === "mirrored" || step === "mirror_failed");
  if (last === undefined) return {};
  const lacking = last.step === "mirrored" ? [] : listOf(last.detail?.["lacking"]);
  const oldest = Math.min(...lacking.flatMap((name) => parseArchiveName(name)?.minuteAt.getTime() ?? []));
  const ended = seconds(finishedAt) ?? 0;
  return {
    dormouse_mirror_lacking_backups: lacking.length,
    dormouse_mirror_lag_seconds: Number.isFinite(oldest) ? Math.max(0, ended - oldest / 1000) : 0,
  };
}

function ofRestore({ state, finishedAt, request, result, problem }: Run): Known {
  const { strategy = request["strategy"], downtimeMs } = (result ?? {}) as Restore;
  if (strategy === "rehearse")
    return state === "succeeded"
      ? { dormouse_rehearsal_completed_timestamp_seconds: seconds(finishedAt), dormouse_rehearsal_failed: 0 }
      : { dormouse_rehearsal_failed: 1 };
  const isDone = state === "succeeded";
  return {
    dormouse_restore_unsettled: problem?.code === "rollback_pending" ? 1 : 0,
    dormouse_restore_completed_timestamp_seconds: isDone ? seconds(finishedAt) : undefined,
    dormouse_restore_downtime_seconds: downtimeMs === undefined ? undefined : downtimeMs / 1000,
  };
}

function ofDatabases({ databases = [], removed = [] }: Cull): [string, readonly Sample[]][] {
  return databases.map(({ database, keep, suspicion, staleness }) => {
    const gone = removed.filter((each) => each.database === database);
    return [
      database,
      toSamples({
        dormouse_cull_kept_backups: keep.length,
        dormouse_cull_removed_backups: gone.length,
        dormouse_cull_freed_bytes: gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        dormouse_backup_suspect: suspicion === undefined ? 0 : 1,
        dormouse_backup_stale: staleness === undefined ? 0 : 1,
      }),
    ];
  });
}

function toSamples(known: Known): readonly Sample[] {
  return Object.entries(known).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name: name as MetricName, value }],
  );
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function seconds(at: Date | undefined): number | undefined {
  return at && at.getTime() / 1000;
}
