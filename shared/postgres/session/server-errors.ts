import { DormouseError, type ErrorCode, readCode, readMessage } from "../../errors.ts";
import { CONNECTION_REFUSALS, type Kind, TLS_REFUSALS } from "./connection-refusals.ts";
import { POOLER_HINT } from "./pooler.ts";

/** How its log is read: of a pod, or where the image of the server writes it to files. */
export const SERVER_LOG =
  "the server's log says more: kubectl logs service/<DATABASE_SERVICE_NAME> --since=15m, or the file that SELECT pg_current_logfile() names";

/**
 * What servers and libpq say, by SQLSTATE where there is one (`@28P01`) and by message where there is only text.
 * The first match wins.
 */
const KINDS: readonly Kind[] = [
  {
    code: "pooler_refused",
    pattern: /unsupported startup parameter|support command-line options/,
    hint: POOLER_HINT,
  },
  {
    code: "standby_conflict",
    pattern: /conflict with recovery/,
    hint: "set hot_standby_feedback=on or a larger max_standby_streaming_delay on the standby, or back up from the primary",
  },
  {
    code: "server_is_standby",
    pattern: /during recovery/,
    hint: "a standby can only be read: let DATABASE_SERVICE_NAME name the primary",
  },
  ...TLS_REFUSALS,
  ...CONNECTION_REFUSALS,
  {
    code: "server_is_standby",
    pattern: /Hot standby mode is disabled/,
    hint: "set hot_standby=on on this standby and restart it, or let DATABASE_SERVICE_NAME name the primary",
  },
  {
    code: "server_starting",
    pattern: /@57P03|system is (?:starting up|shutting down|in recovery)|not yet accepting connections/,
    hint: "wait until the server accepts connections",
  },
  {
    code: "password_rejected",
    pattern: /@28(?:P01|000)|password authentication failed|no password supplied|SCRAM/,
    hint: "check POSTGRESQL_USER and POSTGRESQL_PASSWORD against the server; ALTER ROLE ... PASSWORD sets another, to be put into the Secret as well; a password ends with its VALID UNTIL in pg_roles",
  },
  {
    code: "database_not_found",
    pattern: /@3D000|database ".*" does not exist/s,
    hint: "check POSTGRESQL_DATABASE and MAINTENANCE_DATABASE: SELECT datname FROM pg_database lists what there is",
  },
  {
    code: "lock_timeout",
    pattern: /@55P03|lock timeout|LOCK TABLE[^]*statement timeout|statement timeout[^]*LOCK TABLE/,
    hint: "another session holds the lock: end it, or raise LOCK_WAIT_SECONDS",
  },
  {
    code: "permission_denied",
    pattern: /row-level security/,
    hint: "row security hides rows from this role: ALTER ROLE ... BYPASSRLS, as docs/roles.md has it",
  },
  {
    code: "permission_denied",
    pattern: /@42501|permission denied|must be (?:owner|superuser)/,
    hint: "give the role of POSTGRESQL_USER what is missing, for a backup GRANT pg_read_all_data TO it; docs/roles.md has the SQL of both roles",
  },
  {
    code: "locks_exhausted",
    pattern: /out of shared memory/,
    hint: "raise max_locks_per_transaction of the server and restart it: a dump locks each table, and partitions are tables",
  },
  {
    code: "disk_full",
    pattern: /@53100|No space left on device/,
    hint: "make room on the server's disk, then try again",
  },
  {
    code: "connection_lost",
    pattern:
      /@(?:57P0[12]|08\w{3})|ECONNRESET|EPIPE|server closed the connection|terminating connection|Connection terminated|Connection reset|connection not open|no connection to the server|SSL SYSCALL|Query read timeout|could not receive data|and is not queryable/i,
    hint: `was the server restarted, or the session ended? ${SERVER_LOG}`,
  },
  {
    code: "server_unreachable",
    pattern:
      /ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT|timeout expired|connection timeout|Connection refused|could not translate host name|No route to host|No such file or directory/i,
    hint: "check DATABASE_SERVICE_NAME and PGPORT, and that a network policy lets this pod through",
  },
];

/** The code and hint for what a server or libpq said, if we know it. */
export function knownKind(text: string): { readonly code: ErrorCode; readonly hint: string } | undefined {
  for (const { code, pattern, hint } of KINDS) {
    const said = pattern.exec(text);
    if (said !== null) return { code, hint: hint.replace("$1", () => said[1] ?? "...") };
  }
  return undefined;
}

/** An error of node-postgres or of a socket as ours; what is ours already stays as it is. */
export function serverError(error: unknown, what: string): DormouseError {
  if (error instanceof DormouseError) return error;
  const text = toText(error);
  const kind = knownKind(`${codeText(error)} ${text} ${describeDetail(error)}`);
  return new DormouseError(kind?.code ?? "query_failed", `${what} failed: ${text}`, {
    hint: kind?.hint ?? SERVER_LOG,
    cause: error,
  });
}

/** A host with several addresses fails with one error for each, and no message of its own. */
function toText(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(toText).join("; ");
  return readMessage(error).replace(ADVICE, "");
}

/** Of Node, for programmers. */
const ADVICE = /; if the root CA is installed locally[^]*/;

/** The server's DETAIL, which may quote rows: it is read and not shown. */
function describeDetail(error: unknown): string {
  return error instanceof Error && "detail" in error ? String(error.detail) : "";
}

function codeText(error: unknown): string {
  const code = readCode(error);
  return `@${code} ${code}`;
}
