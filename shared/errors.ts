/** Every reason to stop. The HTTP status of each stands in `http/problem.ts`, its meaning in `docs/errors.md`. */
export type ErrorCode =
  // what a caller can mend
  | "request_invalid"
  | "event_invalid"
  | "event_unsupported"
  | "event_untimely"
  | "media_type_unsupported"
  | "body_too_large"
  | "method_not_allowed"
  | "route_not_found"
  | "run_not_found"
  | "backup_not_found"
  | "backup_elsewhere"
  | "idempotency_key_reused"
  | "overloaded"
  | "rate_limited"
  // callers
  | "unauthenticated"
  | "forbidden"
  | "origin_not_allowed"
  | "host_not_allowed"
  | "token_review_forbidden"
  // configuration, at start-up
  | "configuration_invalid"
  // the server
  | "server_unreachable"
  | "server_starting"
  | "server_is_standby"
  | "standby_conflict"
  | "pooler_refused"
  | "connection_refused"
  | "connections_exhausted"
  | "locks_exhausted"
  | "connection_lost"
  | "password_rejected"
  | "permission_denied"
  | "database_not_found"
  | "database_busy"
  | "lock_timeout"
  | "query_failed"
  // the client tools
  | "client_tools_not_found"
  | "dump_failed"
  | "dump_conflict"
  | "dump_stalled"
  | "dump_timed_out"
  | "backup_incomplete"
  | "exclusion_invalid"
  | "sweep_incomplete"
  // a restore
  | "restore_blocked"
  | "restore_failed"
  | "rollback_pending"
  | "run_superseded"
  | "undo_unavailable"
  | "rehearsal_gave_way"
  | "rows_differ"
  | "values_differ"
  | "database_not_ours"
  | "sessions_not_terminated"
  // the volume
  | "disk_full"
  | "volume_unwritable"
  | "volume_silent"
  | "catalog_unreadable"
  | "record_unsealed"
  | "archive_damaged"
  // the bucket
  | "mirror_unreachable"
  | "mirror_refused"
  | "mirror_checksum_mismatch"
  | "mirror_timed_out"
  | "mirror_conflict"
  // encryption and signatures
  | "decryption_key_not_found"
  | "decryption_key_mismatch"
  | "signature_invalid"
  // the workloads of the application
  | "workload_busy"
  | "workload_not_found"
  | "workload_forbidden"
  | "workload_changed"
  | "workload_not_stopped"
  | "workload_not_ready"
  | "cluster_unreachable"
  // the world around
  | "event_undelivered"
  | "notification_failed"
  // the run
  | "interrupted"
  | "internal";

/** Up to the last @ before the path, as a URL parser reads it; and from the question mark to the end. */
const URL_SECRETS = /([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#"\\]*@)?([^\s?"\\]*)(?:\?[^\s"\\]*)?/gi;

type Details = ErrorOptions & { readonly hint?: string | undefined };

/**
 * The only error that leaves a layer. `message` is lower case and says what failed, on what and why; `hint` says
 * what to do. Neither ever holds a secret or a command line: both are shown to callers and written to logs.
 */
export class DormouseError extends Error {
  override readonly name = "DormouseError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, { hint, ...options }: Details = {}) {
    super(withoutUrlSecrets(message), options);
    this.code = code;
    this.hint = hint === undefined ? undefined : withoutUrlSecrets(hint);
  }
}

/**
 * Text without the user, the password and the query of each URL in it: libraries quote the address of a sink, a proxy or
 * a webhook as it was given. Errors and log lines go through this, so that no place has to think of it.
 */
export function withoutUrlSecrets(text: string): string {
  return text.replaceAll(URL_SECRETS, (_, scheme: string, rest: string) => `${scheme}${rest}`);
}

/** An error as records, events and answers show it. */
export type Problem = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
};

/** For `catch` blocks: our own errors unchanged, anything else as `internal` with its cause kept. */
export function asDormouseError(error: unknown): DormouseError {
  if (error instanceof DormouseError) return error;
  // What waits ends with an AbortError of Node's; the reason of the abort stands behind that.
  const isAbort = error instanceof Error && error.name === "AbortError";
  if (isAbort && error.cause instanceof DormouseError) return error.cause;
  return new DormouseError("internal", readMessage(error), {
    cause: error,
    hint: "please report this with the log lines",
  });
}

/** The same in a line of the log, where `message` is the line's own. */
export function logged({ message, ...problem }: Problem) {
  return { ...problem, error: message };
}

/** What zod objects to, field by field. */
export function faultsIn(error: {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}): string {
  return error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`).join("; ");
}

/** What a record, an event or an answer says of anything that was thrown. */
export function problemFrom(error: unknown): Problem {
  const { code, message, hint } = asDormouseError(error);
  return { code, message, hint };
}

/** The message of anything that was thrown. */
export function readMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code that Node or a library gave an error, like `ENOENT`; empty without one. */
export function readCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
