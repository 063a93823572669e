import type { ErrorCode } from "./errors.ts";

/** Faults that may be gone in a moment. A wrong password, a full disk or a missing right will not be. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  "server_unreachable",
  "server_starting",
  "standby_conflict",
  "connections_exhausted",
  "connection_lost",
  "lock_timeout",
  "dump_stalled",
]);

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

export function isTransient(code: ErrorCode): boolean {
  return TRANSIENT.has(code);
}

/** How long to wait after failed attempt number `attempt` (1 and up): doubling, from one second to thirty. */
export function backoffMs(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
}
