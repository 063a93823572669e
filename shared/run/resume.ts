import type { Run } from "./run.ts";

/** A run that ended without an answer is taken up this often, and no longer than this after it was asked for. */
const MAX_ATTEMPTS = 3;
const TAKE_UP_WITHIN_MS = 6 * 3_600_000;

export type Resumption = { readonly resumeRun: true } | { readonly resumeRun: false; readonly why: string };

/**
 * What becomes of an unfinished backup run when a function starts. Taking up is safe even while another process works
 * on it: the lock lets one of them in, and the next finds the backup that carries the run's name.
 */
export function resumption(run: Run, now: Date): Resumption {
  if (run.attempt >= MAX_ATTEMPTS) return { resumeRun: false, why: `it was begun ${run.attempt} times` };
  const ageMs = now.getTime() - run.acceptedAt.getTime();
  if (ageMs <= TAKE_UP_WITHIN_MS) return { resumeRun: true };
  return { resumeRun: false, why: `it was asked for ${Math.round(ageMs / 3_600_000)} hours ago` };
}

/** Whether an interrupted restore is carried on. If not, it is taken back; that is tried as often as it takes. */
export function restoreMayGoOn(run: Run, now: Date): boolean {
  return resumption({ ...run, attempt: run.attempt - 1 }, now).resumeRun;
}
