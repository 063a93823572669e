import type { ErrorCode, Problem } from "../errors.ts";

/**
 * What a person is answered. Brokers retry 404, 408, 409, 429 and every 5xx, and PingSources 413 and 425 as well, so
 * events are answered by `eventStatus` instead.
 */
export const STATUS = {
  request_invalid: 400,
  event_invalid: 400,
  event_unsupported: 422,
  event_untimely: 422,
  media_type_unsupported: 415,
  body_too_large: 413,
  method_not_allowed: 405,
  route_not_found: 404,
  run_not_found: 404,
  backup_not_found: 404,
  backup_elsewhere: 422,
  idempotency_key_reused: 422,
  overloaded: 503,
  rate_limited: 429,
  unauthenticated: 401,
  forbidden: 403,
  origin_not_allowed: 403,
  host_not_allowed: 421,
  token_review_forbidden: 500,
  configuration_invalid: 500,
  server_unreachable: 503,
  server_starting: 503,
  server_is_standby: 500,
  standby_conflict: 503,
  pooler_refused: 500,
  connection_refused: 500,
  connections_exhausted: 503,
  locks_exhausted: 503,
  connection_lost: 503,
  password_rejected: 500,
  permission_denied: 500,
  database_not_found: 500,
  database_busy: 409,
  lock_timeout: 503,
  query_failed: 500,
  client_tools_not_found: 500,
  dump_failed: 500,
  dump_conflict: 503,
  dump_stalled: 503,
  dump_timed_out: 503,
  backup_incomplete: 422,
  exclusion_invalid: 422,
  sweep_incomplete: 207,
  restore_blocked: 422,
  restore_failed: 500,
  rollback_pending: 503,
  run_superseded: 503,
  undo_unavailable: 422,
  rehearsal_gave_way: 503,
  rows_differ: 500,
  values_differ: 500,
  database_not_ours: 422,
  sessions_not_terminated: 503,
  disk_full: 503,
  volume_unwritable: 503,
  volume_silent: 503,
  catalog_unreadable: 503,
  record_unsealed: 422,
  archive_damaged: 500,
  mirror_unreachable: 503,
  mirror_refused: 500,
  mirror_checksum_mismatch: 500,
  mirror_timed_out: 503,
  mirror_conflict: 409,
  decryption_key_not_found: 422,
  decryption_key_mismatch: 422,
  signature_invalid: 422,
  workload_busy: 409,
  workload_not_found: 422,
  workload_forbidden: 500,
  workload_changed: 409,
  workload_not_stopped: 503,
  workload_not_ready: 503,
  cluster_unreachable: 503,
  event_undelivered: 503,
  notification_failed: 503,
  interrupted: 503,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

/** RFC 9457, with our own `code`, `hint` and `run`. */
export type ProblemDetails = {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint?: string | undefined;
  readonly run?: string | undefined;
};

export function toProblemDetails({ code, message, hint }: Problem, run?: string): ProblemDetails {
  const title = code.replaceAll("_", " ");
  return { type: "about:blank", title, status: STATUS[code], code, detail: message, hint, run };
}

/** Of an event: a sender that is unknown, or may send none, is no fault that passes either. */
type EventStatus = 400 | 401 | 403 | 422 | 503;

/** A permanent fault must not be retried by any sender; what may pass is retried by all of them at 503. */
export function eventStatus(code: ErrorCode): EventStatus {
  const status = STATUS[code];
  if (status >= 500 || status === 429) return 503;
  return status === 400 || status === 401 || status === 403 ? status : 422;
}
