import { ALL_DATABASES, type Run } from "./run.ts";

/** A run that ended without an answer is resumed this often, and no longer than this after it was asked for. */
const MAX_ATTEMPTS = 3;
const RESUME_WITHIN_MS = 6 * 3_600_000;

/**
 * Why an unfinished backup run is not resumed when a function starts, if it is not. Resuming is safe even while another
 * process works on it: the lock lets one of them in, and the next finds the backup that carries the run's name.
 */
export function whyAbandoned(run: Run, now: Date): string | undefined {
  const { attempts, since } = limitsOf(run);
  if (run.attempt >= attempts) return `it was begun ${run.attempt} times`;
  const ageMs = now.getTime() - since.getTime();
  return ageMs <= RESUME_WITHIN_MS
    ? undefined
    : `it was asked for ${Math.round(ageMs / 3_600_000)} hours ago`;
}

/** The step of a sweep that has the names of its databases. */
export const LISTED = "listed";

/** What a run over all databases records of each, once that is done with. */
export const SWEPT = {
  taken: "backed_up",
  failed: "backup_failed",
  rehearsed: "rehearsed",
  unproved: "rehearsal_failed",
} as const;
const SWEPT_STEPS: ReadonlySet<string> = new Set(Object.values(SWEPT));

/**
 * Each database that a sweep has done with lets it begin as often again, and as long: one whose dump ends the pod is given
 * up by its own attempts, and the others come after it.
 */
function limitsOf({ database, steps, acceptedAt }: Run): { readonly attempts: number; readonly since: Date } {
  if (database !== ALL_DATABASES) return { attempts: MAX_ATTEMPTS, since: acceptedAt };
  const done = steps.filter(({ step }) => SWEPT_STEPS.has(step));
  return { attempts: MAX_ATTEMPTS * (done.length + 1) + 1, since: done.at(-1)?.at ?? acceptedAt };
}

/** Whether an interrupted restore is carried on. If not, it is taken back; that is tried as often as it takes. */
export function restoreMayGoOn(run: Run, now: Date): boolean {
  return whyAbandoned({ ...run, attempt: run.attempt - 1 }, now) === undefined;
}
