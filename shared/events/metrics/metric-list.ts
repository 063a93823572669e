/** What the Pushgateway holds of each namespace, function and database; docs/metrics.md has the same table. */
export const METRICS = {
  dormouse_info: "Version and Knative Service of the function that ran last; always 1.",
  dormouse_run_last_attempt_timestamp_seconds:
    "When the last run ended, however it ended, in seconds since 1970.",
  dormouse_run_last_success_timestamp_seconds:
    "When the last run that succeeded ended, in seconds since 1970.",
  dormouse_run_failed: "1 if the last run failed, else 0.",
  dormouse_run_duration_seconds: "How long the last run took, from its request to its end.",
  dormouse_run_phase_duration_seconds: "How long the last run took to reach each step from the one before.",
  dormouse_run_retries: "How often the last run tried again.",
  dormouse_backup_started_timestamp_seconds: "When the newest backup began, in seconds since 1970.",
  dormouse_backup_archive_bytes: "Size of the newest archive.",
  dormouse_backup_database_bytes: "Size of the database when the newest backup began.",
  dormouse_backup_rows: "Rows in the newest backup.",
  dormouse_backup_proof_level: "How the newest backup was proven: 1 read to its end, 2 loaded and compared.",
  dormouse_mirror_lacking_backups: "Backups that the bucket should have and lacks.",
  dormouse_mirror_lag_seconds: "Age of the oldest backup that the bucket lacks; 0 if it lacks none.",
  dormouse_cull_kept_backups: "Backups on the volume after the last cull.",
  dormouse_cull_removed_backups: "Backups that the last cull removed from the volume.",
  dormouse_cull_freed_bytes: "Bytes that the last cull freed on the volume.",
  dormouse_backup_suspect: "1 if the last cull found the newest backup suspect, else 0.",
  dormouse_backup_stale: "1 if the last cull found no backup that is young enough, else 0.",
  dormouse_volume_size_bytes: "Size of the backup volume.",
  dormouse_volume_free_bytes: "Bytes that are free on the backup volume.",
  dormouse_volume_free_inodes: "Inodes that are free on the backup volume.",
  dormouse_restore_completed_timestamp_seconds:
    "When the last restore or undo was complete, in seconds since 1970.",
  dormouse_restore_downtime_seconds: "How long the application was stopped by the last restore or undo.",
  dormouse_restore_unsettled: "1 if the last restore is neither complete nor taken back, else 0.",
  dormouse_rehearsal_completed_timestamp_seconds:
    "When the last rehearsal that succeeded ended, in seconds since 1970.",
  dormouse_rehearsal_failed: "1 if the last rehearsal failed, else 0.",
} as const;

export type MetricName = keyof typeof METRICS;
export type Sample = {
  readonly name: MetricName;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
};
