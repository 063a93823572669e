import { setTimeout as pause } from "node:timers/promises";
import { asDormouseError, type ErrorCode } from "./errors.ts";

/** Faults that may be gone in a moment. A wrong password, a full disk or a missing right will not be. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  "server_unreachable",
  "server_starting",
  "standby_conflict",
  "connections_exhausted",
  "locks_exhausted",
  "connection_lost",
  "lock_timeout",
  "dump_conflict",
  "dump_stalled",
]);

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

export function isTransient(code: ErrorCode): boolean {
  return TRANSIENT.has(code);
}

/** What a failed attempt looks like to the rule that says whether there is another one. */
type FailedAttempt = {
  readonly error: unknown;
  readonly code: ErrorCode;
  /** 1 and up. */
  readonly attempt: number;
  /** Since the first attempt began, by a clock that is never set. */
  readonly elapsedMs: number;
  /** How long the pause before the next attempt would be: doubling, from one second to thirty. */
  readonly waitMs: number;
};

/**
 * Attempts `work` until it succeeds or `again` answers false, which throws the last error; `again` may throw a better one.
 * `work` is given the attempt before it. Once `signal` has aborted there is no further attempt.
 */
export async function retrying<Result>(
  signal: AbortSignal,
  work: (before: FailedAttempt | undefined) => Promise<Result>,
  again: (failed: FailedAttempt) => boolean | Promise<boolean>,
): Promise<Result> {
  const begunMs = performance.now();
  let failed: FailedAttempt | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(failed);
    } catch (error) {
      const waitMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
      const elapsedMs = performance.now() - begunMs;
      failed = { error, code: asDormouseError(error).code, attempt, elapsedMs, waitMs };
      if (signal.aborted || !(await again(failed))) throw error;
      await pause(waitMs, undefined, { signal });
    }
  }
}
